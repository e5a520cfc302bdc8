//! The EventFlow binary.
fn main() {}
