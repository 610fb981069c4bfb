"""The command line: words in, words out. It decides nothing and knows no path or format of its own."""
