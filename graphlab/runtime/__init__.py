"""Building generated C and running it: the compiler, the cache, the loaded program."""
