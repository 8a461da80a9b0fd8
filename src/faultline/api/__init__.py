"""What the store keeps in, HTTP and WebSocket answers out; never imports the pipeline."""
