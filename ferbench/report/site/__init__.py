"""The site: boards by dataset, a page a method, trials, and comparisons of any two rows, as files that a browser reads from disk.

What a record says is untrusted: Jinja escapes every string of the pages, scripts show strings as text only, names of files and
fragments are made by `names`, and the pages' own policy forbids the browser to ask the network for anything.
"""
