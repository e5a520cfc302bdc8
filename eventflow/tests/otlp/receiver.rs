//! A receiver of traces: takes requests over HTTP, and reads of their protobuf the fields that
//! are looked at.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What is looked at of a span.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
}

pub(crate) struct Receiver {
    addr: SocketAddr,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { addr, bodies }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/v1/traces", self.addr)
    }

    /// All spans that came so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        // ExportTraceServiceRequest.resource_spans = 1, ResourceSpans.scope_spans = 2,
        // ScopeSpans.spans = 2.
        let resources = bodies.iter().flat_map(|body| all(body, 1));
        let scopes = resources.flat_map(|resource| all(&resource, 2));
        scopes.flat_map(|scope| all(&scope, 2)).map(|span| read(&span)).collect()
    }

    /// The name of the service that they are of.
    pub(crate) fn service(&self) -> String {
        let bodies = self.bodies.lock().unwrap();
        // ResourceSpans.resource = 1, Resource.attributes = 1, KeyValue.key = 1, .value = 2,
        // AnyValue.string_value = 1.
        let resources = bodies.iter().flat_map(|body| all(body, 1)).flat_map(|r| all(&r, 1));
        let attributes = resources.flat_map(|resource| all(&resource, 1));
        let named = |attribute: &Vec<u8>| all(attribute, 1).first().unwrap() == b"service.name";
        let value = attributes.filter(named).flat_map(|attribute| all(&attribute, 2)).next();
        String::from_utf8(all(&value.unwrap(), 1).remove(0)).unwrap()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        assert!(line.starts_with("POST /v1/traces "), "{line}");
        let (mut length, mut kind) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "content-type" => kind = value.to_owned(),
                _ => {}
            }
        }
        assert_eq!(kind, "application/x-protobuf");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        kept.lock().unwrap().push(body);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

/// Span.trace_id = 1, span_id = 2, parent_span_id = 4, name = 5.
fn read(span: &[u8]) -> Span {
    let hex = |field: u64| -> String {
        let bytes = all(span, field).pop().unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let name = String::from_utf8(all(span, 5).remove(0)).unwrap();
    Span { trace: hex(1), id: hex(2), parent: hex(4), name }
}

/// The values of a field with a length, in a message of protobuf.
fn all(message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let (mut at, mut found) = (0, Vec::new());
    while at < message.len() {
        let tag = number(message, &mut at);
        let (field, kind) = (tag >> 3, tag & 7);
        match kind {
            0 => drop(number(message, &mut at)),
            1 => at += 8,
            5 => at += 4,
            2 => {
                let length = usize::try_from(number(message, &mut at)).unwrap();
                if field == wanted {
                    found.push(message[at..at + length].to_vec());
                }
                at += length;
            }
            other => panic!("not protobuf: kind {other}"),
        }
    }
    found
}

fn number(message: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = message[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}
