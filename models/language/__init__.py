"""Report generators: vLLM in process, any OpenAI-compatible endpoint, and the phantom's own writer."""
