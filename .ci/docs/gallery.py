"""The gallery."""
def files():
    yield "gallery.md", "# Gallery\n"
