"""Loop programs printed as source text: C today."""
