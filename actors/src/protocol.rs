//! Commit rules as state machines without IO or async, so that a simulator can drive the
//! very code that production runs.

pub mod commit;
