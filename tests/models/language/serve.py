"""vLLM's own OpenAI server, with the repair that builds of torch and torchvision need in each of its processes."""

from __future__ import annotations

from runpy import run_module

from models.compat import torchvision_ready

torchvision_ready()  # the engine's process imports this module first

if __name__ == "__main__":
    run_module("vllm.entrypoints.openai.api_server", run_name="__main__")
