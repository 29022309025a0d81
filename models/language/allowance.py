"""What a run may spend on a served model: tokens, currency, or both. Counted, never guessed."""

from __future__ import annotations

import threading


class Allowance:
    """A bound on what all requests together may cost; safe to share between threads.

    Requests that are under way when the bound is reached still end, so the overshoot is at most those.

    Args:
        most_tokens: prompt and answer tokens together; None is no bound.
        most_cost: currency; None is no bound.
        prompt_price, answer_price: currency per million tokens.
    """

    def __init__(
        self,
        most_tokens: int | None = None,
        most_cost: float | None = None,
        prompt_price: float = 0.0,
        answer_price: float = 0.0,
    ) -> None:
        self.most_tokens, self.most_cost = most_tokens, most_cost
        self._prompt_price, self._answer_price = prompt_price, answer_price
        self._lock = threading.Lock()
        self.tokens, self.cost = 0, 0.0

    def charge(self, prompt_tokens: int, answer_tokens: int) -> None:
        """Write down what one request cost."""
        with self._lock:
            self.tokens += prompt_tokens + answer_tokens
            self.cost += (prompt_tokens * self._prompt_price + answer_tokens * self._answer_price) / 1e6

    def refusal(self) -> str | None:
        """Why nothing more may be asked; None while something may."""
        if self.most_tokens is not None and self.tokens >= self.most_tokens:
            return f"the budget of {self.most_tokens} tokens is spent: raise reports.generator.options.token_budget"
        if self.most_cost is not None and self.cost >= self.most_cost:
            return f"the budget of {self.most_cost:g} is spent: raise reports.generator.options.cost_budget"
        return None
