//! Accounts in memory.

use engine::UserId;
use futures_util::future::{BoxFuture, ready};
use parking_lot::Mutex;

use super::now;
use crate::accounts::{Account, AccountChange, AccountStore};
use crate::error::StorageError;

/// Accounts in memory.
#[derive(Debug, Default)]
pub struct MemoryAccounts {
    accounts: Mutex<Vec<Account>>,
}

impl AccountStore for MemoryAccounts {
    fn add(&self, account: Account) -> BoxFuture<'_, Result<(), StorageError>> {
        let mut accounts = self.accounts.lock();
        let taken = |value: fn(&Account) -> &str| {
            let wanted = value(&account).to_lowercase();
            accounts.iter().any(|stored| value(stored).to_lowercase() == wanted)
        };
        let result = if taken(|account| &account.username) {
            Err(StorageError::Taken { field: "username" })
        } else if taken(|account| &account.email) {
            Err(StorageError::Taken { field: "email" })
        } else if accounts.iter().any(|stored| stored.id == account.id) {
            Err(StorageError::Taken { field: "id" })
        } else {
            accounts.push(account);
            Ok(())
        };
        Box::pin(ready(result))
    }

    fn change(
        &self,
        id: UserId,
        change: AccountChange,
    ) -> BoxFuture<'_, Result<Option<Account>, StorageError>> {
        let mut accounts = self.accounts.lock();
        if let Some(email) = &change.email {
            let wanted = email.to_lowercase();
            let another =
                |stored: &Account| stored.id != id && stored.email.to_lowercase() == wanted;
            if accounts.iter().any(another) {
                return Box::pin(ready(Err(StorageError::Taken { field: "email" })));
            }
        }
        let account = accounts.iter_mut().find(|account| account.id == id);
        now(account.map(|account| {
            let AccountChange { email, full_name, password_hash } = change;
            if let Some(email) = email {
                account.email = email;
            }
            if let Some(full_name) = full_name {
                account.full_name = full_name;
            }
            if let Some(hash) = password_hash {
                account.password_hash = hash;
            }
            account.clone()
        }))
    }

    fn by_id(&self, id: UserId) -> BoxFuture<'_, Result<Option<Account>, StorageError>> {
        now(self.accounts.lock().iter().find(|account| account.id == id).cloned())
    }

    fn by_login<'a>(
        &'a self,
        login: &'a str,
    ) -> BoxFuture<'a, Result<Option<Account>, StorageError>> {
        let login = login.to_lowercase();
        let accounts = self.accounts.lock();
        let by_name = accounts.iter().find(|account| account.username.to_lowercase() == login);
        let by_email = || accounts.iter().find(|account| account.email.to_lowercase() == login);
        now(by_name.or_else(by_email).cloned())
    }
}
