"""What happens to one image: read, conform, correct, strip, register, resample, segment."""
