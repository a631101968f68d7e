"""From passages to a proven answer: packing, reading replies, proving quotes, declining."""
