"""What `synth serve` starts, and how exactly that is ended."""
