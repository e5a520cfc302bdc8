//! Who is there: one hash, a row for each name.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use storage::{Member, MemberState, Members, StorageError};

use crate::Store;
use crate::error::damaged;

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl Members for Store {
    fn announce<'a>(&'a self, member: &'a Member) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut write = redis::cmd("HSET");
            write.arg(self.keys.members()).arg(&member.node).arg(pack(member));
            let _: redis::Value = self.reads.send(&write).await?;
            Ok(())
        })
    }

    fn all(&self) -> Answer<'_, Vec<Member>> {
        Box::pin(async move {
            let mut ask = redis::cmd("HGETALL");
            ask.arg(self.keys.members());
            let rows: BTreeMap<String, String> = self.reads.ask(&ask).await?;
            let row = |(node, row): (&String, &String)| {
                unpack(node, row).ok_or_else(|| damaged("a member"))
            };
            rows.iter().map(row).collect()
        })
    }

    fn leave<'a>(&'a self, node: &'a str, incarnation: [u8; 8]) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut ask = redis::cmd("HGET");
            ask.arg(self.keys.members()).arg(node);
            let row: Option<String> = self.reads.ask(&ask).await?;
            let mine = row.and_then(|row| unpack(node, &row));
            if mine.is_some_and(|member| member.incarnation == incarnation) {
                // A later start of the name in between is put back by its next announcement.
                let mut remove = redis::cmd("HDEL");
                remove.arg(self.keys.members()).arg(node);
                let _: redis::Value = self.reads.send(&remove).await?;
            }
            Ok(())
        })
    }
}

/// `1 <incarnation> <state> <tick> <address>`: legible, as people look at it too.
fn pack(member: &Member) -> String {
    let state = match member.state {
        MemberState::Starting => "starting",
        MemberState::Ready => "ready",
        MemberState::Draining => "draining",
    };
    let incarnation = u64::from_be_bytes(member.incarnation);
    format!("1 {incarnation:016x} {state} {} {}", member.tick, member.address)
}

fn unpack(node: &str, row: &str) -> Option<Member> {
    let mut words = row.splitn(5, ' ');
    if words.next()? != "1" {
        return None;
    }
    Some(Member {
        node: node.to_owned(),
        incarnation: u64::from_str_radix(words.next()?, 16).ok()?.to_be_bytes(),
        state: match words.next()? {
            "starting" => MemberState::Starting,
            "ready" => MemberState::Ready,
            "draining" => MemberState::Draining,
            _ => return None,
        },
        tick: words.next()?.parse().ok()?,
        address: words.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was() {
        let member = Member {
            node: "b1".into(),
            incarnation: [1, 2, 3, 4, 5, 6, 7, 8],
            address: "127.0.0.1:9001".into(),
            state: MemberState::Draining,
            tick: 77,
        };
        let row = pack(&member);
        assert_eq!(unpack("b1", &row), Some(member));
        for not in ["", "2 00 ready 1 a:1", "1 zz ready 1 a:1", "1 00 dead 1 a:1", "1 00 ready"] {
            assert_eq!(unpack("b1", not), None, "{not}");
        }
    }
}
