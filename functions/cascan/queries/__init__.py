"""Questions about what is stored, answered over gateways for whoever asks."""
