//! A server that costs little more than its system calls.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

use super::message::{Message, Reader};

/// Answers requests: writes the body and tells the status.
pub(super) trait Answer: Send + Sync + 'static {
    /// The length of the body is not known before it is written, so `out` is the body alone.
    fn answer(&self, request: &Message<'_>, out: &mut Vec<u8>) -> u16;
}

/// A running server; ends with the value.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server on a free port of the loopback interface; each answer takes `delay` longer.
    pub(super) async fn start(answer: impl Answer, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                // A connection that breaks is its client's business.
                tokio::spawn(async move { serve(stream, &*answer, delay).await.ok() });
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: &impl Answer, delay: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::default();
    let (mut body, mut out) = (Vec::new(), Vec::new());
    while let Some(request) = reader.next(&mut stream).await? {
        if !delay.is_zero() {
            sleep(delay).await;
        }
        body.clear();
        let status = answer.answer(&request, &mut body);
        let length = body.len();
        out.clear();
        out.extend_from_slice(
            format!(
                "HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            )
            .as_bytes(),
        );
        out.extend_from_slice(&body);
        stream.write_all(&out).await?;
    }
    Ok(())
}
