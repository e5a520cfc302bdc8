use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// Room on the way, in bytes: more than is said at once.
const ROOM: usize = 1 << 20;

/// What gets through of what a server says without being asked, and why no more.
async fn heard(said: &[u8]) -> (usize, io::Result<()>) {
    let (mut server, client) = duplex(ROOM);
    server.write_all(said).await.unwrap();
    drop(server);
    let (mut client, mut heard) = (Answers::new(client), Vec::new());
    let outcome = client.read_to_end(&mut heard).await.map(|_| ());
    (heard.len(), outcome)
}

#[tokio::test]
async fn a_line_has_its_length_and_no_more() {
    // As long as the longest that lettre takes.
    let line = [vec![b'x'; 998], b"\r\n".to_vec()].concat();
    let (length, outcome) = heard(&line.repeat(10)).await;
    outcome.unwrap();
    assert_eq!(length, 10_000);
    for before in [0, 3] {
        let endless = [line.repeat(before), vec![b'x'; 500_000]].concat();
        let (length, outcome) = heard(&endless).await;
        assert_eq!(outcome.unwrap_err().to_string(), "a line of the answer is too long");
        assert!(length <= before * line.len() + LINE, "{length}");
    }
}

#[tokio::test]
async fn an_answer_has_its_length_and_no_more() {
    let (length, outcome) = heard(&b"250-\r\n".repeat(100_000)).await;
    assert_eq!(outcome.unwrap_err().to_string(), "the answer is too long");
    assert!(length <= ANSWER, "{length}");
}

#[tokio::test]
async fn many_answers_may_be_longer_than_one() {
    let (mut server, client) = duplex(ROOM);
    let mut client = Answers::new(client);
    let answer = b"250 fine and so on\r\n".repeat(100);
    let mut heard = vec![0; answer.len()];
    for _ in 0..100 {
        client.write_all(b"NOOP\r\n").await.unwrap();
        server.write_all(&answer).await.unwrap();
        client.read_exact(&mut heard).await.unwrap();
    }
}

#[tokio::test]
async fn a_line_is_no_shorter_for_what_we_say_in_between() {
    let (mut server, client) = duplex(ROOM);
    let mut client = Answers::new(client);
    let mut failed = None;
    // More than enough of them.
    for _ in 0..1_000 {
        client.write_all(b"NOOP\r\n").await.unwrap();
        server.write_all(&[b'x'; 100]).await.unwrap();
        failed = client.read_exact(&mut [0; 100]).await.err();
        if failed.is_some() {
            break;
        }
    }
    assert_eq!(failed.unwrap().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_greeting_that_was_said_before_comes_first_and_once() {
    let (mut server, client) = duplex(ROOM);
    server.write_all(b"250 fine\r\n").await.unwrap();
    drop(server);
    let (mut client, mut heard) = (Answers::greeted(client), String::new());
    // However small the pieces are.
    while let Ok(byte) = client.read_u8().await {
        heard.push(char::from(byte));
    }
    let (greeting, rest) = heard.split_once("\r\n").unwrap();
    assert!(greeting.starts_with("220 "), "{greeting}");
    assert_eq!(rest, "250 fine\r\n");
}
