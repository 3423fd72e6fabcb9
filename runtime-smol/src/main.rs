//! The `pleach` command.

const fn main() {}
