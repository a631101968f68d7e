"""Tables: found on PDF pages by the alignment of their figures, taken from other formats as these give them."""
