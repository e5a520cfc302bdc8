//! Accounts in `app.db`.

use engine::UserId;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, Row, params};
use storage::{Account, AccountChange, AccountStore, Role, StorageError};

use crate::readers::Readers;
use crate::value::time;
use crate::writer::Writer;

const COLUMNS: &str = "id, username, email, full_name, password_hash, role, is_active, created_at \
     FROM auth_account";

/// What an account writes with its indexes, roughly.
const BYTES: usize = 16 * 1024;

/// Accounts in `app.db`.
pub(crate) struct Accounts {
    pub(crate) writer: Writer<()>,
    pub(crate) readers: Readers,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl AccountStore for Accounts {
    fn add(&self, account: Account) -> Answer<'_, ()> {
        Box::pin(async move {
            let taken = self
                .writer
                .call(BYTES, move |connection, ()| {
                    let taken = taken(connection, &account)?;
                    if taken.is_none() {
                        insert(connection, &account)?;
                    }
                    Ok(taken)
                })
                .await?;
            taken.map_or(Ok(()), |field| Err(StorageError::Taken { field }))
        })
    }

    fn change(&self, id: UserId, change: AccountChange) -> Answer<'_, Option<Account>> {
        Box::pin(async move {
            let changed = self
                .writer
                .call(BYTES, move |connection, ()| changed(connection, id, &change))
                .await?;
            changed.map_err(|field| StorageError::Taken { field })
        })
    }

    fn by_id(&self, id: UserId) -> Answer<'_, Option<Account>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} WHERE id = ?1"))?
                .query_row([id.0], account_of)
                .optional()
        }))
    }

    fn by_login<'a>(&'a self, login: &'a str) -> Answer<'a, Option<Account>> {
        let login = login.to_lowercase();
        Box::pin(self.readers.call(move |connection| {
            for column in ["username_lower", "email_lower"] {
                let found = connection
                    .prepare_cached(&format!("SELECT {COLUMNS} WHERE {column} = ?1"))?
                    .query_row([&login], account_of)
                    .optional()?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        }))
    }
}

/// Which of its unique values is taken. The writer is alone, so nothing can come between
/// this and the insert.
fn taken(connection: &Connection, account: &Account) -> rusqlite::Result<Option<&'static str>> {
    let mut by_name =
        connection.prepare_cached("SELECT 1 FROM auth_account WHERE username_lower = ?1")?;
    if by_name.exists([account.username.to_lowercase()])? {
        return Ok(Some("username"));
    }
    let mut by_email =
        connection.prepare_cached("SELECT 1 FROM auth_account WHERE email_lower = ?1")?;
    if by_email.exists([account.email.to_lowercase()])? {
        return Ok(Some("email"));
    }
    let mut by_id = connection.prepare_cached("SELECT 1 FROM auth_account WHERE id = ?1")?;
    Ok(by_id.exists([account.id.0])?.then_some("id"))
}

/// The account after a change, or the field that another one has.
fn changed(
    connection: &Connection,
    id: UserId,
    change: &AccountChange,
) -> rusqlite::Result<Result<Option<Account>, &'static str>> {
    let stored = connection
        .prepare_cached(&format!("SELECT {COLUMNS} WHERE id = ?1"))?
        .query_row([id.0], account_of)
        .optional()?;
    let Some(mut account) = stored else { return Ok(Ok(None)) };
    if let Some(email) = &change.email {
        let mut another = connection
            .prepare_cached("SELECT 1 FROM auth_account WHERE email_lower = ?1 AND id <> ?2")?;
        if another.exists(params![email.to_lowercase(), id.0])? {
            return Ok(Err("email"));
        }
        account.email.clone_from(email);
    }
    if let Some(full_name) = &change.full_name {
        account.full_name.clone_from(full_name);
    }
    if let Some(hash) = &change.password_hash {
        account.password_hash.clone_from(hash);
    }
    connection
        .prepare_cached(
            "UPDATE auth_account SET email = ?2, email_lower = ?3, full_name = ?4, \
             password_hash = ?5 WHERE id = ?1",
        )?
        .execute(params![
            id.0,
            account.email,
            account.email.to_lowercase(),
            account.full_name,
            account.password_hash,
        ])?;
    Ok(Ok(Some(account)))
}

fn insert(connection: &Connection, account: &Account) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO auth_account (id, username, username_lower, email, email_lower, \
             full_name, password_hash, role, is_active, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            account.id.0,
            account.username,
            account.username.to_lowercase(),
            account.email,
            account.email.to_lowercase(),
            account.full_name,
            account.password_hash,
            role_number(account.role),
            account.is_active,
            account.created_at.millis(),
        ])
        .map(drop)
}

const fn role_number(role: Role) -> i64 {
    match role {
        Role::Attendee => 0,
        Role::Admin => 1,
    }
}

fn account_of(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: UserId(row.get(0)?),
        username: row.get(1)?,
        email: row.get(2)?,
        full_name: row.get(3)?,
        password_hash: row.get(4)?,
        role: match row.get(5)? {
            0 => Role::Attendee,
            1 => Role::Admin,
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(5, other)),
        },
        is_active: row.get(6)?,
        created_at: time(row, 7)?,
    })
}
