//! [`crate::SessionStore`]: each refresh token works once, what is ended stays ended.

use engine::{Span, Timestamp, UserId};

use super::Fresh;
use super::sample::{START, user};
use crate::{Rotated, Rotation, SecretDigest, Session, SessionId, Stores};

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    a_token_works_once(&fresh()).await;
    of_two_at_once_one_is_next(&fresh()).await;
    what_is_over_is_unknown(&fresh()).await;
    ended_sessions_are_named(&fresh()).await;
    the_oldest_make_room(&fresh()).await;
    what_is_long_over_is_forgotten(&fresh()).await;
}

const MOST: usize = 3;

fn at(seconds: u32) -> Timestamp {
    START.plus(Span::seconds(seconds))
}

fn id(n: u8) -> SessionId {
    SessionId([n; 16])
}

fn secret(n: u8) -> SecretDigest {
    SecretDigest([n; 32])
}

fn session(n: u8, user: UserId, began: u32) -> Session {
    Session {
        id: id(n),
        user,
        secret: secret(n),
        began_at: at(began),
        idle_until: at(began + 100),
        ends_at: at(began + 250),
    }
}

fn rotation(n: u8, presented: u8, next: u8, now: u32) -> Rotation {
    let (presented, next) = (secret(presented), secret(next));
    Rotation { id: id(n), presented, next, now: at(now), idle_until: at(now + 100) }
}

async fn begin(stores: &Stores, session: Session) -> Vec<SessionId> {
    stores.sessions.begin(session, MOST, START).await.expect("it begins")
}

async fn rotate(stores: &Stores, rotation: Rotation) -> Rotated {
    stores.sessions.rotate(rotation).await.expect("an answer")
}

async fn a_token_works_once(stores: &Stores) {
    begin(stores, session(1, user(1), 0)).await;
    let expected = Session { secret: secret(11), idle_until: at(110), ..session(1, user(1), 0) };
    assert_eq!(rotate(stores, rotation(1, 1, 11, 10)).await, Rotated::Next(expected));
    assert_eq!(stores.sessions.find(id(1), at(10)).await.expect("a read"), Some(expected));
    assert_eq!(stores.sessions.find(id(1), at(110)).await.expect("a read"), None, "over");
    let Rotated::Next(again) = rotate(stores, rotation(1, 11, 12, 20)).await else {
        panic!("the next one works")
    };
    assert_eq!(again.secret, secret(12));
    // The first one once more: the session is over, for the newest token too.
    assert_eq!(rotate(stores, rotation(1, 1, 13, 30)).await, Rotated::Reused(id(1)));
    assert_eq!(rotate(stores, rotation(1, 12, 14, 31)).await, Rotated::Unknown);
    assert_eq!(stores.sessions.find(id(1), at(32)).await.expect("a read"), None, "ended");
    let ended = stores.sessions.ended_since(at(30)).await.expect("a read");
    assert_eq!(ended.iter().map(|one| (one.id, one.at)).collect::<Vec<_>>(), [(id(1), at(30))]);
}

async fn of_two_at_once_one_is_next(stores: &Stores) {
    begin(stores, session(1, user(1), 0)).await;
    let both = [rotate(stores, rotation(1, 1, 2, 5)), rotate(stores, rotation(1, 1, 3, 5))];
    let answers = futures_util::future::join_all(both).await;
    assert!(matches!(
        answers[..],
        [Rotated::Next(_), Rotated::Reused(_)] | [Rotated::Reused(_), _]
    ));
    assert_eq!(rotate(stores, rotation(1, 2, 4, 6)).await, Rotated::Unknown);
}

async fn what_is_over_is_unknown(stores: &Stores) {
    assert_eq!(rotate(stores, rotation(9, 9, 8, 0)).await, Rotated::Unknown);
    begin(stores, session(1, user(1), 0)).await;
    assert_eq!(rotate(stores, rotation(1, 1, 2, 100)).await, Rotated::Unknown, "idle too long");
    begin(stores, session(2, user(1), 0)).await;
    for (presented, now) in [(2, 90), (3, 180), (4, 240)] {
        let rotated = rotate(stores, rotation(2, presented, presented + 1, now)).await;
        assert!(matches!(rotated, Rotated::Next(_)), "{now}");
    }
    assert_eq!(rotate(stores, rotation(2, 5, 6, 250)).await, Rotated::Unknown, "its time is over");
    assert!(!stores.sessions.end(id(2), at(251)).await.expect("an answer"), "nothing to end");
}

async fn ended_sessions_are_named(stores: &Stores) {
    for n in 1..=3 {
        begin(stores, session(n, user(1), u32::from(n))).await;
    }
    begin(stores, session(4, user(2), 4)).await;
    assert!(stores.sessions.end(id(1), at(10)).await.expect("an answer"));
    assert!(!stores.sessions.end(id(1), at(11)).await.expect("an answer"), "it is ended");
    let mut others = stores.sessions.end_others(user(1), Some(id(3)), at(20)).await.expect("ended");
    others.sort_unstable();
    assert_eq!(others, [id(2)]);
    let since = async |seconds| {
        let mut ended = stores.sessions.ended_since(at(seconds)).await.expect("a read");
        ended.sort_unstable_by_key(|one| one.id);
        ended.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(since(0).await, [id(1), id(2)]);
    assert_eq!(since(20).await, [id(2)]);
    assert_eq!(since(21).await, []);
    for n in [3, 4] {
        let rotated = rotate(stores, rotation(n, n, 9, 30)).await;
        assert!(matches!(rotated, Rotated::Next(_)), "{n} lives on");
    }
    let rest = stores.sessions.end_others(user(1), None, at(40)).await.expect("ended");
    assert_eq!(rest, [id(3)]);
}

async fn the_oldest_make_room(stores: &Stores) {
    for n in 1..=3 {
        assert_eq!(begin(stores, session(n, user(1), u32::from(n))).await, []);
    }
    assert_eq!(begin(stores, session(7, user(2), 5)).await, [], "another person's");
    assert_eq!(begin(stores, session(4, user(1), 6)).await, [id(1)]);
    assert_eq!(rotate(stores, rotation(1, 1, 2, 7)).await, Rotated::Unknown);
    // One that is over takes nobody's room.
    assert_eq!(begin(stores, session(5, user(1), 103)).await, []);
}

async fn what_is_long_over_is_forgotten(stores: &Stores) {
    begin(stores, session(1, user(1), 0)).await;
    assert!(stores.sessions.end(id(1), at(10)).await.expect("an answer"));
    begin(stores, session(2, user(2), 11)).await;
    let session = session(3, user(3), 60);
    stores.sessions.begin(session, MOST, at(11)).await.expect("it begins");
    assert_eq!(stores.sessions.ended_since(START).await.expect("a read"), []);
    assert!(matches!(rotate(stores, rotation(2, 2, 4, 61)).await, Rotated::Next(_)));
}
