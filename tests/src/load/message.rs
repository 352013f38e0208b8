//! Just enough of HTTP/1.1 for the parties of a load, none of which sends chunks.

use std::io;

use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// A request or answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// The first line.
    pub(super) start: &'a str,
    headers: &'a str,
    pub(super) body: &'a [u8],
}

impl Message<'_> {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(self.headers, name)
    }
}

/// Reads messages of one connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// The length of the message that was read last.
    read: usize,
}

impl Reader {
    /// The next message; `None` when the connection was closed before it began.
    pub(super) async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Message<'_>>> {
        self.buffer.drain(..self.read);
        self.read = 0;
        loop {
            if let Some(head) = head_length(&self.buffer) {
                let length = head + body_length(&self.buffer[..head])?;
                if length <= self.buffer.len() {
                    self.read = length;
                    return self.message(head).map(Some);
                }
                self.buffer.reserve(length - self.buffer.len());
            } else {
                self.buffer.reserve(16 << 10);
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(broken("the connection ended within a message")),
                };
            }
        }
    }

    fn message(&self, head: usize) -> io::Result<Message<'_>> {
        let (start, headers) = text(&self.buffer[..head])?
            .split_once("\r\n")
            .ok_or_else(|| broken("a message without a line"))?;
        Ok(Message {
            start,
            headers,
            body: &self.buffer[head..self.read],
        })
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

fn body_length(head: &[u8]) -> io::Result<usize> {
    match header(text(head)?, "content-length") {
        None => Ok(0),
        Some(length) => length
            .parse()
            .map_err(|_| broken("a length that is no number")),
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn text(bytes: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| broken("a head that is not text"))
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
