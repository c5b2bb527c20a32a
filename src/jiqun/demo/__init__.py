"""The demo 演示: a real registry that a package ships, and the atlas of it."""
