"""The tests of pagequote; a package so that they can share servers and documents."""
