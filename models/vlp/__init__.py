"""Vision-language models: images and reports in one space, made and loaded through open_clip."""
