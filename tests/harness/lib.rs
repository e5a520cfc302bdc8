//! What the tests of the whole share: the real binary as a child process, clients and
//! people, a recorder of every call, and the checker that judges what was recorded.
//!
//! | module | is |
//! | --- | --- |
//! | [`settings`] | what a test run may set from outside |
//! | [`eventually`] | waiting for a condition, with the one patience |
//! | [`random`] | repeatable randomness |
//! | [`server`] | the real binary on a free port: started, killed, stopped |
//! | [`client`] | one connection that never repeats anything by itself |
//! | [`raw`] | requests byte for byte, right or wrong |
//! | [`people`] | users and their tokens |
//! | [`accounts`] | the same, registered and logged in |
//! | [`disk`] | a data folder on a disk that can be full |
//! | [`events`] | making events, reading them back |
//! | [`recorder`] | calls over HTTP that write their own history |
//! | [`history`] | what was called and what came back |
//! | [`journal`] | what lies on disk |
//! | [`served`] | what is answered at the end |
//! | [`checker`] | whether these three can be the work of a correct EventFlow |
//!
//! Deliberately not here: the engine's rules. The checker has its own model of them, so
//! that a mistake would have to be made twice to go unseen.

pub mod accounts;
pub mod checker;
pub mod client;
pub mod disk;
pub mod events;
pub mod eventually;
pub mod history;
pub mod journal;
pub mod people;
pub mod random;
pub mod raw;
pub mod recorder;
pub mod served;
pub mod server;
pub mod settings;
