"""From passages to a checked answer: packing, reading replies, checking quotes, declining."""
