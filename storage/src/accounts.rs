//! Accounts: who may log in.

use engine::{Timestamp, UserId};
use futures_util::future::BoxFuture;

use crate::error::StorageError;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Attends, and organizes the events it creates.
    Attendee,
    /// May do everything.
    Admin,
}

/// A person with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// Unique without regard to case.
    pub username: String,
    /// Unique without regard to case.
    pub email: String,
    /// The name to show, if given.
    pub full_name: Option<String>,
    /// The password's hash in PHC form.
    pub password_hash: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may log in.
    pub is_active: bool,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// What changes of an account: `None` leaves a part as it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Another address.
    pub email: Option<String>,
    /// Another name to show, or none any more.
    pub full_name: Option<Option<String>>,
    /// Another password's hash in PHC form.
    pub password_hash: Option<String>,
}

/// Accounts, unique by name and by address, both compared in lower case.
pub trait AccountStore: Send + Sync {
    /// Add an account. `Taken { field: "username" | "email" }` if one of them is.
    fn add(&self, account: Account) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Change an account, and return it as it is then; `None` if there is none.
    /// `Taken { field: "email" }`, and nothing is changed, if another one has the address.
    fn change(
        &self,
        id: UserId,
        change: AccountChange,
    ) -> BoxFuture<'_, Result<Option<Account>, StorageError>>;

    /// By id.
    fn by_id(&self, id: UserId) -> BoxFuture<'_, Result<Option<Account>, StorageError>>;

    /// By user name or, failing that, by e-mail address, in any case.
    fn by_login<'a>(
        &'a self,
        login: &'a str,
    ) -> BoxFuture<'a, Result<Option<Account>, StorageError>>;
}
