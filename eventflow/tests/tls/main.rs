//! Certificates between the processes of an installation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;
mod listener;
mod node;
