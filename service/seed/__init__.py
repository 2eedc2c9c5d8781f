"""The demo: a small city and one week of its work, told as uploads through the real sync path. Read by ``gridtrail seed`` and the tests."""
