//! [`crate::CatalogStore`]: documents by version, lists, keys, answers.

use engine::{EventId, UserId};

use super::Fresh;
use super::sample::{at, event, user};
use crate::Stores;
use crate::catalog::{CatalogEntry, CatalogFilter, CreateKey, KeptAnswer, Stored};

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    versions_follow_each_other(&fresh()).await;
    lists_are_in_order(&fresh()).await;
    filters_are_plain_text_in_any_case(&fresh()).await;
    create_keys_are_remembered(&fresh()).await;
    answers_are_kept(&fresh()).await;
}

fn entry(n: u64, version: u32) -> CatalogEntry {
    CatalogEntry {
        id: event(n),
        organizer: user(n % 2),
        version,
        title: format!("Concert {n}"),
        description: "Strings, wood and brass.\n\"Encore\" included.".into(),
        location: "Łódź".into(),
        starts_at: at(1_000 - n as i64),
        ends_at: at(2_000),
        timezone: n.is_multiple_of(2).then(|| "Europe/Warsaw".into()),
        price_cents: -1 + n as i64,
        capacity: 500,
        opens_at: at(0),
        closes_at: at(900),
        is_active: n != 1,
        waitlist: n != 2,
        max_per_booking: 4,
        created_at: at(0),
        updated_at: at(i64::from(version)),
        deleted: false,
    }
}

async fn versions_follow_each_other(stores: &Stores) {
    let catalog = &*stores.catalog;
    let put = async |entry: &CatalogEntry| catalog.put(entry.clone()).await.expect("an answer");
    let get = async |n| catalog.get(event(n)).await.expect("a read");
    assert_eq!(get(1).await, None);
    assert_eq!(put(&entry(1, 2)).await, Stored::PredecessorMissing);
    assert_eq!(get(1).await, None, "nothing is written");
    let (one, two) = (entry(1, 1), CatalogEntry { title: "Other".into(), ..entry(1, 2) });
    assert_eq!(put(&one).await, Stored::Written);
    assert_eq!(get(1).await.as_ref(), Some(&one));
    assert_eq!(put(&entry(1, 3)).await, Stored::PredecessorMissing);
    assert_eq!(put(&two).await, Stored::Written);
    assert_eq!(put(&two).await, Stored::AlreadyThere);
    assert_eq!(put(&one).await, Stored::AlreadyThere, "an older one comes late");
    assert_eq!(get(1).await.as_ref(), Some(&two));
    let gone = CatalogEntry { deleted: true, ..entry(1, 3) };
    assert_eq!(put(&gone).await, Stored::Written);
    assert_eq!(get(1).await.as_ref(), Some(&gone), "a deleted one is still read by its id");
    put(&entry(2, 1)).await;
    let many = catalog.get_many(vec![event(2), event(9), event(1)]).await.expect("a read");
    assert_eq!(many, [Some(entry(2, 1)), None, Some(gone)], "in the order asked for");
}

async fn list(stores: &Stores, filter: &CatalogFilter, skip: usize, limit: usize) -> Vec<EventId> {
    let found = stores.catalog.list(filter.clone(), skip, limit).await.expect("a list");
    found.into_iter().map(|entry| entry.id).collect()
}

async fn lists_are_in_order(stores: &Stores) {
    let mut written: Vec<CatalogEntry> = (1..=9).map(|n| entry(n, 1)).collect();
    // Two begin at the same time: then the id decides.
    written[3].starts_at = written[6].starts_at;
    for entry in &written {
        stores.catalog.put(entry.clone()).await.expect("an answer");
    }
    let gone = CatalogEntry { deleted: true, ..entry(5, 2) };
    stores.catalog.put(gone).await.expect("an answer");
    let mut expected: Vec<_> = written.iter().filter(|entry| entry.id != event(5)).collect();
    expected.sort_by_key(|entry| (entry.starts_at, entry.id));
    let ids = |entries: &[&CatalogEntry]| entries.iter().map(|e| e.id).collect::<Vec<_>>();
    let everything = CatalogFilter::default();
    assert_eq!(list(stores, &everything, 0, 100).await, ids(&expected));
    assert_eq!(list(stores, &everything, 2, 3).await, ids(&expected[2..5]));
    assert!(list(stores, &everything, 50, 3).await.is_empty());
    let of = |organizer: UserId| CatalogFilter { organizer: Some(organizer), ..everything.clone() };
    expected.retain(|entry| entry.organizer == user(1));
    assert_eq!(list(stores, &of(user(1)), 0, 100).await, ids(&expected));
    assert!(list(stores, &of(user(7)), 0, 100).await.is_empty());
}

async fn filters_are_plain_text_in_any_case(stores: &Stores) {
    let titles = ["100% Jazz", "ÉTÉ en fête", "under_score", "back\\slash", "Jazz'n'Blues"];
    for (n, title) in titles.iter().enumerate() {
        let n = n as u64 + 1;
        let location = if n == 1 { "Straße 1" } else { "Łódź" };
        let entry =
            CatalogEntry { title: (*title).into(), location: location.into(), ..entry(n, 1) };
        stores.catalog.put(entry).await.expect("an answer");
    }
    let found = async |title: Option<&str>, location: Option<&str>| {
        let filter = CatalogFilter {
            title: title.map(Into::into),
            location: location.map(Into::into),
            organizer: None,
        };
        let mut found = list(stores, &filter, 0, 100).await;
        found.sort_unstable();
        found
    };
    let numbers = |numbers: &[u64]| {
        let mut events: Vec<_> = numbers.iter().map(|n| event(*n)).collect();
        events.sort_unstable();
        events
    };
    for (part, expected) in [
        ("jazz", numbers(&[1, 5])),
        ("JAZZ'N", numbers(&[5])),
        ("0% j", numbers(&[1])),
        ("%", numbers(&[1])),
        ("_", numbers(&[3])),
        ("\\", numbers(&[4])),
        ("été", numbers(&[2])),
        ("Fête", numbers(&[2])),
        ("", numbers(&[1, 2, 3, 4, 5])),
        ("nothing", numbers(&[])),
    ] {
        assert_eq!(found(Some(part), None).await, expected, "{part:?}");
    }
    assert_eq!(found(None, Some("ŁÓDŹ")).await, numbers(&[2, 3, 4, 5]));
    assert_eq!(found(Some("jazz"), Some("łódź")).await, numbers(&[5]), "both");
}

async fn create_keys_are_remembered(stores: &Stores) {
    let catalog = &*stores.catalog;
    let key = |who, digest: u8, what, until| CreateKey {
        organizer: user(who),
        digest: [digest; 16],
        fingerprint: [what as u8; 8],
        event: event(what),
        keep_until: at(until),
    };
    let remember = async |key: &CreateKey, now| {
        catalog.remember_key(key.clone(), at(now)).await.expect("a key")
    };
    let first = key(1, 1, 1, 100);
    assert_eq!(remember(&first, 0).await, first);
    assert_eq!(remember(&key(1, 1, 2, 200), 50).await, first, "the one that is there");
    assert_eq!(remember(&key(1, 1, 2, 200), 100).await, first, "up to its end");
    let other = key(2, 1, 3, 100);
    assert_eq!(remember(&other, 50).await, other, "another organizer's");
    let other = key(1, 2, 4, 100);
    assert_eq!(remember(&other, 50).await, other, "another key");
    let second = key(1, 1, 2, 300);
    assert_eq!(remember(&second, 101).await, second, "the first one's time is over");
    assert_eq!(remember(&first, 102).await, second);
}

async fn answers_are_kept(stores: &Stores) {
    let catalog = &*stores.catalog;
    let answer = |digest: u8, body: &str, until| KeptAnswer {
        principal: user(1),
        digest: [digest; 16],
        fingerprint: [7; 8],
        status: 201,
        body: body.as_bytes().to_vec(),
        version: 1,
        keep_until: at(until),
    };
    let kept = async |digest: u8, now| {
        catalog.kept_answer(user(1), [digest; 16], at(now)).await.expect("a read")
    };
    let keep = async |answer: &KeptAnswer, now| {
        catalog.keep_answer(answer.clone(), at(now)).await.expect("it is kept");
    };
    assert_eq!(kept(1, 0).await, None);
    let first = answer(1, "first", 100);
    keep(&first, 0).await;
    assert_eq!(kept(1, 100).await.as_ref(), Some(&first));
    keep(&answer(1, "second", 200), 50).await;
    assert_eq!(kept(1, 50).await, Some(first), "the first one stays");
    assert_eq!(kept(1, 101).await, None, "its time is over");
    assert_eq!(kept(2, 50).await, None, "another key");
    let other = catalog.kept_answer(user(2), [1; 16], at(50)).await.expect("a read");
    assert_eq!(other, None, "another person");
    let third = answer(1, "third", 300);
    keep(&third, 150).await;
    assert_eq!(kept(1, 150).await, Some(third), "where the first one was");
}
