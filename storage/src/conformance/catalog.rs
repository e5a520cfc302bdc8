//! [`crate::CatalogStore`]: documents by version, lists, keys, answers.

use engine::{EventId, UserId};

use super::Fresh;
use super::sample::{at, event, user};
use crate::Stores;
use crate::catalog::{
    CatalogEntry, CatalogFilter, CreateKey, KeptAnswer, Order, Parked, SearchWords, Slice, SortBy,
    Stored,
};

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    versions_follow_each_other(&fresh()).await;
    lists_are_in_order(&fresh()).await;
    filters_are_plain_text_in_any_case(&fresh()).await;
    every_order_is_walked_without_a_gap(&fresh()).await;
    filters_hold_together(&fresh()).await;
    words_are_found_and_ranked(&fresh()).await;
    documents_are_replaced(&fresh()).await;
    what_cannot_be_taken_is_parked(&fresh()).await;
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
    let slice = Slice { after: None, skip, limit };
    let found = stores.catalog.list(filter.clone(), Order::default(), slice).await;
    let found = found.expect("a list");
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
            ..CatalogFilter::default()
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
        ("sh", numbers(&[4])),
        ("es", numbers(&[5])),
        ("s", numbers(&[3, 4, 5])),
        ("\"", numbers(&[])),
        ("jazz\" OR \"été", numbers(&[])),
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
    catalog.forget_key(user(1), [1; 16]).await.expect("it is forgotten");
    assert_eq!(remember(&first, 50).await, first, "it came to nothing");
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

async fn every_order_is_walked_without_a_gap(stores: &Stores) {
    for n in 1..=40 {
        let mut entry = entry(n, 1);
        entry.title = format!("{}itle {}", if n % 2 == 0 { 'T' } else { 't' }, n % 5);
        entry.starts_at = at((n % 7) as i64);
        entry.created_at = at((n % 3) as i64);
        entry.price_cents = (n % 4) as i64;
        stores.catalog.put(entry).await.expect("an answer");
    }
    for by in [SortBy::Start, SortBy::Creation, SortBy::Price, SortBy::Title] {
        let walk = async |descending, page| {
            let order = Order { by, descending };
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let slice = Slice { after, skip: 0, limit: page };
                let found = stores.catalog.list(CatalogFilter::default(), order, slice).await;
                let found = found.expect("a list");
                let Some(last) = found.last() else { return seen };
                after = Some((by.value(last), last.id));
                seen.extend(found.iter().map(|entry| (by.value(entry), entry.id)));
            }
        };
        let mut whole = walk(false, 100).await;
        assert_eq!(whole.len(), 40, "{by:?}");
        assert!(whole.is_sorted(), "{by:?}");
        assert_eq!(walk(false, 7).await, whole, "{by:?} page by page");
        whole.reverse();
        assert_eq!(walk(true, 3).await, whole, "{by:?} from the end");
    }
}

async fn filters_hold_together(stores: &Stores) {
    for n in 1..=9 {
        stores.catalog.put(entry(n, 1)).await.expect("an answer");
    }
    let numbers = async |filter: CatalogFilter| {
        let found = list(stores, &filter, 0, 100).await;
        let mut found: Vec<u64> = (1..=9).filter(|n| found.contains(&event(*n))).collect();
        found.sort_unstable();
        found
    };
    let any = CatalogFilter::default;
    assert_eq!(numbers(CatalogFilter { is_active: Some(false), ..any() }).await, [1]);
    // An event starts at 1,000 less its number, and costs its number less one.
    let from = CatalogFilter { starts_after: Some(at(997)), ..any() };
    assert_eq!(numbers(from.clone()).await, [1, 2, 3]);
    assert_eq!(numbers(CatalogFilter { starts_before: Some(at(998)), ..from }).await, [3]);
    let dear = CatalogFilter { min_price: Some(5), ..any() };
    assert_eq!(numbers(dear.clone()).await, [6, 7, 8, 9]);
    let dear = CatalogFilter { max_price: Some(6), ..dear };
    assert_eq!(numbers(dear.clone()).await, [6, 7]);
    let all = CatalogFilter {
        organizer: Some(user(0)),
        title: Some("CERT".into()),
        location: Some("łó".into()),
        words: SearchWords::of("encore"),
        is_active: Some(true),
        ..dear
    };
    assert_eq!(numbers(all).await, [6]);
    let gone = CatalogEntry { deleted: true, ..entry(6, 2) };
    stores.catalog.put(gone).await.expect("an answer");
    let words = CatalogFilter { words: SearchWords::of("strings concert"), ..any() };
    assert_eq!(numbers(words).await, [1, 2, 3, 4, 5, 7, 8, 9]);
}

async fn words_are_found_and_ranked(stores: &Stores) {
    for (n, title, location, description) in [
        (1, "Evening of Jazz", "Town Hall", "Brass."),
        (2, "Reading", "Jazz Cellar", "Poems."),
        (3, "Picnic", "Park", "With some jazz, if it does not rain."),
        (4, "Jazzercise", "Gym", "Sport."),
        (5, "NEAR OR AND NOT", "Nowhere", "title : x* (y)"),
    ] {
        let entry = CatalogEntry {
            title: title.into(),
            location: location.into(),
            description: description.into(),
            ..entry(n, 1)
        };
        stores.catalog.put(entry).await.expect("an answer");
    }
    let found = async |text: &str| {
        let Some(words) = SearchWords::of(text) else { return Vec::new() };
        let found = stores.catalog.search(words, 0, 10).await.expect("a list");
        let number = |entry: &CatalogEntry| (1..=5).find(|n| event(*n) == entry.id).unwrap_or(0);
        found.iter().map(number).collect::<Vec<_>>()
    };
    let ranked = found("JAZZ").await;
    let best: Vec<u64> = ranked.iter().copied().filter(|n| *n != 4).collect();
    assert_eq!(best, [1, 2, 3], "title, then location, then description");
    assert!(ranked.contains(&4), "the last word may be a beginning");
    assert_eq!(found("jazz hall").await, [1], "all words");
    assert_eq!(found("hall jazz").await, [1], "in any order");
    assert_eq!(found("jaz hall").await, [], "only the last word may be a beginning");
    for hostile in
        ["\"jazz\" hall*", "jazz NOT poems", "title:jazz", "near(jazz)", "jazz)", "x* (y"]
    {
        found(hostile).await;
    }
    assert_eq!(found("near or and not").await, [5], "words and nothing else");
    assert_eq!(found("\" * ( ) : ^").await, [], "no words at all");
    let skipped = stores.catalog.search(SearchWords::of("jazz").expect("a word"), 1, 1).await;
    assert_eq!(skipped.expect("a list").len(), 1);
    let changed = CatalogEntry { title: "Silence".into(), ..entry(1, 2) };
    stores.catalog.put(changed).await.expect("an answer");
    assert!(!found("jazz").await.contains(&1), "what is no more is not found");
    assert_eq!(found("silence").await, [1]);
}

async fn documents_are_replaced(stores: &Stores) {
    let catalog = &*stores.catalog;
    for n in 1..=5 {
        catalog.put(entry(n, 1)).await.expect("an answer");
    }
    let other = CatalogEntry { title: "Quite another".into(), version: 7, ..entry(3, 1) };
    catalog.replace(other.clone()).await.expect("it is written");
    catalog.replace(entry(6, 4)).await.expect("it is written");
    assert_eq!(catalog.get(event(3)).await.expect("a read"), Some(other));
    let filter = CatalogFilter { title: Some("quite".into()), ..CatalogFilter::default() };
    assert_eq!(list(stores, &filter, 0, 10).await, [event(3)]);
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let found = catalog.all(after, 2).await.expect("a list");
        let Some(last) = found.last() else { break };
        after = Some(last.id);
        all.extend(found.into_iter().map(|entry| entry.id));
    }
    let mut expected: Vec<_> = (1..=6).map(event).collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

async fn what_cannot_be_taken_is_parked(stores: &Stores) {
    let parked = |number, reason: &str| Parked {
        number,
        event: event(1),
        kind: "EventChanged".into(),
        reason: reason.into(),
        body: vec![1, 2, 3].into(),
    };
    for one in [parked(9, "late"), parked(4, "first"), parked(4, "again")] {
        stores.catalog.park(one).await.expect("it is kept");
    }
    let kept = stores.catalog.parked(10).await.expect("a list");
    assert_eq!(kept, [parked(4, "first"), parked(9, "late")]);
    assert_eq!(stores.catalog.parked(1).await.expect("a list").len(), 1);
}
