"""The interview scorer of lesson 06: what a bookshelf behind a face is worth."""
