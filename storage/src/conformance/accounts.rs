//! [`crate::AccountStore`]: accounts, unique in any case.

use super::Fresh;
use super::sample::{START, user};
use crate::{Account, AccountChange, Role, StorageError, Stores};

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    accounts_come_back(&fresh()).await;
    names_and_addresses_are_unique(&fresh()).await;
    a_change_keeps_the_rest(&fresh()).await;
}

fn account(n: u64, username: &str, email: &str) -> Account {
    Account {
        id: user(n),
        username: username.into(),
        email: email.into(),
        full_name: n.is_multiple_of(2).then(|| "Ada Łukasiewicz".into()),
        password_hash: "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".into(),
        role: if n == 0 { Role::Admin } else { Role::Attendee },
        is_active: n != 3,
        created_at: START,
    }
}

async fn accounts_come_back(stores: &Stores) {
    let accounts = &*stores.accounts;
    let ada = account(0, "Ada", "Ada@Example.org");
    let zoe = account(3, "Zoë", "zoe@example.org");
    for one in [&ada, &zoe] {
        assert_eq!(accounts.by_id(one.id).await.expect("a read"), None);
        accounts.add(one.clone()).await.expect("it is added");
        assert_eq!(accounts.by_id(one.id).await.expect("a read").as_ref(), Some(one));
    }
    for login in ["Ada", "ada", "ADA", "ada@example.org", "ADA@EXAMPLE.ORG"] {
        let found = accounts.by_login(login).await.expect("a read");
        assert_eq!(found.as_ref(), Some(&ada), "{login}");
    }
    let found = accounts.by_login("ZOË").await.expect("a read");
    assert_eq!(found, Some(zoe), "lower case is not just that of ASCII");
    for login in ["", "a", "ad_", "%", "example.org"] {
        assert_eq!(accounts.by_login(login).await.expect("a read"), None, "{login}");
    }
    // Somebody's name may be another one's address: the name comes first.
    let sly = account(5, "zoe@example.org", "sly@example.org");
    accounts.add(sly.clone()).await.expect("it is added");
    let found = accounts.by_login("zoe@example.org").await.expect("a read");
    assert_eq!(found, Some(sly));
}

async fn names_and_addresses_are_unique(stores: &Stores) {
    let accounts = &*stores.accounts;
    accounts.add(account(1, "Grace", "grace@example.org")).await.expect("it is added");
    for (username, email, taken) in [
        ("gRACE", "other@example.org", "username"),
        ("other", "Grace@Example.ORG", "email"),
        ("grace", "grace@example.org", "username"),
    ] {
        let refused = accounts.add(account(2, username, email)).await;
        match refused {
            Err(StorageError::Taken { field }) => assert_eq!(field, taken),
            other => panic!("{username}, {email}: {other:?}"),
        }
        assert_eq!(accounts.by_id(user(2)).await.expect("a read"), None, "nothing is written");
    }
    let both = [account(7, "Twin", "one@example.org"), account(8, "twin", "two@example.org")];
    let added = futures_util::future::join_all(both.map(|one| accounts.add(one))).await;
    assert_eq!(added.iter().filter(|one| one.is_ok()).count(), 1, "of two at once, one");
}

async fn a_change_keeps_the_rest(stores: &Stores) {
    let accounts = &*stores.accounts;
    let nobody = accounts.change(user(9), AccountChange::default()).await.expect("an answer");
    assert_eq!(nobody, None);
    let before = account(2, "Ada", "ada@example.org");
    accounts.add(before.clone()).await.expect("it is added");
    accounts.add(account(4, "Zoe", "zoe@example.org")).await.expect("it is added");
    let nothing = accounts.change(before.id, AccountChange::default()).await.expect("an answer");
    assert_eq!(nothing.as_ref(), Some(&before));

    let change = AccountChange { full_name: Some(None), ..AccountChange::default() };
    let after = Account { full_name: None, ..before.clone() };
    let changed = accounts.change(before.id, change).await.expect("an answer");
    assert_eq!(changed.as_ref(), Some(&after));

    let change = AccountChange {
        email: Some("ADA@Example.org".into()),
        password_hash: Some("another".into()),
        full_name: None,
    };
    let after =
        Account { email: "ADA@Example.org".into(), password_hash: "another".into(), ..after };
    let changed = accounts.change(before.id, change).await.expect("the own address is free");
    assert_eq!(changed.as_ref(), Some(&after));

    let change = AccountChange {
        email: Some("ZOE@example.org".into()),
        full_name: Some(Some("X".into())),
        password_hash: None,
    };
    match accounts.change(before.id, change).await {
        Err(StorageError::Taken { field: "email" }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(accounts.by_id(before.id).await.expect("a read"), Some(after), "nothing changed");
    let moved = AccountChange { email: Some("new@example.org".into()), ..Default::default() };
    accounts.change(before.id, moved).await.expect("it is free");
    assert_eq!(accounts.by_login("ada@example.org").await.expect("a read"), None);
    let found = accounts.by_login("NEW@example.org").await.expect("a read");
    assert_eq!(found.map(|found| found.id), Some(before.id));
}
