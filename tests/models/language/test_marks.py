"""Marks of chats and control characters are seen; the words and signs of reports are none."""

from __future__ import annotations

import pytest

from models.language.marks import chat_marks, control_characters
from models.phantom.bank import entity_bank


@pytest.mark.parametrize(
    "mark",
    ["<|im_end|>", "<|IM_START|>", "<|eot_id|>", "<|start_header_id|>", "<|im_end", "<｜User｜>", "[INST]", "[/INST]",
     "<s>", "</s>", "<<SYS>>", "<start_of_turn>", "<end_of_turn>", "<bos>", "### Instruction:", "## response",
     "<think>", "<tool_call>", "<|reserved_special_token_7|>", "[TOOL_CALLS]"],
)  # fmt: skip
def test_marks_of_known_chat_templates(mark: str) -> None:
    assert chat_marks(f"a nodule {mark} and {mark}") == [mark.strip()]


@pytest.mark.parametrize(
    "text",
    ["A nodule < 5 mm, or |x| > 3.", "Grade [II] changes (CTR > 0.5).", "Heart size <normal>?", "#2 rib",
     "T4/T5 [sic]", "a < b | c > d", "No. 3: S1|S2"],
)  # fmt: skip
def test_signs_that_reports_use_are_no_marks(text: str) -> None:
    assert chat_marks(text) == control_characters(text) == []


def test_the_phantom_bank_holds_none() -> None:
    assert [
        entity.term for entity in entity_bank() if chat_marks(entity.term) or control_characters(entity.term)
    ] == []


def test_control_characters_are_named_by_code_point_and_white_space_is_none() -> None:
    assert control_characters("\x1b[31mred\x07 \u202eevil\u200b \x9b \ufeff") == [
        "U+001B", "U+0007", "U+202E", "U+200B", "U+009B", "U+FEFF",
    ]  # fmt: skip
    assert control_characters("two\nlines\tand\r\n a no-break\u00a0space, é, 肺, \u0915\u094d\u200d\u0937") == []
