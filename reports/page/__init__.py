"""`index.html`: one self-contained page with every picture and number it can hold."""
