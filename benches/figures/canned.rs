//! A server that answers every request with the same bytes and looks at nothing but its
//! length: what is left is the load generator's own cost, and the kernel's.

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// As long as a real answer to a booking.
const ANSWER: &str = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n\
idempotency-key: 00000000-0000-4000-8000-000000000000\r\n\
date: Sun, 23 Nov 2025 18:00:00 GMT\r\ncontent-length: 318\r\n\r\n";

/// As long as a real one, too.
const BODY: &str = "{\"booking_id\":\"00000000-0000-7000-8000-000000000000\",\
\"id\":\"00000000-0000-7000-8000-000000000000\",\
\"event_id\":\"00000000-0000-7000-8000-000000000000\",\
\"user_id\":\"00000000-0000-7000-8000-000000000000\",\"status\":\"confirmed\",\
\"quantity\":1,\"created_at\":\"2025-11-23T18:00:00.000Z\",\
\"updated_at\":\"2025-11-23T18:00:00.000Z\",\"seq\":1}";

/// Serves until it is killed.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("canned listens on http://{}", listener.local_addr()?);
        let head = ANSWER.replace("318", &BODY.len().to_string());
        let answer: &'static [u8] = Vec::leak(format!("{head}{BODY}").into_bytes());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A connection that breaks has ended.
            tokio::spawn(async move { converse(stream, answer).await.ok() });
        }
    })
}

async fn converse(mut stream: TcpStream, answer: &[u8]) -> Result<()> {
    let mut input = vec![0; 4096];
    loop {
        // The generator sends a request in one piece and waits for its answer.
        if stream.read(&mut input).await? == 0 {
            return Ok(());
        }
        stream.write_all(answer).await?;
    }
}
