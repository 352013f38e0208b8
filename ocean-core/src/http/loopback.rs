//! A scripted HTTP/1.1 server on the loopback address, for tests only: it answers as told, slowly,
//! not at all, or by breaking the connection, and remembers what it was asked.

#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "shared by unit tests and integration tests, each of which uses a part"
)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &**value)
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Answers after a while.
    After(Duration, Box<Reply>),
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Reset,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::json(status, &serde_json::json!({}))
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_string()));
        }
        self
    }
}

/// The running server; it ends when dropped.
#[derive(Debug)]
pub struct Loopback {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    answered: Arc<Notify>,
    _tasks: JoinSet<()>,
}

impl Loopback {
    pub async fn start(handler: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(handler, true).await
    }

    /// A server that does not remember its calls, for load.
    pub async fn start_forgetful(handler: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(handler, false).await
    }

    async fn start_with(
        handler: impl Fn(&Call) -> Reply + Send + Sync + 'static,
        remembers: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let handler = Arc::new(handler);
        let mut tasks = JoinSet::new();
        let answered = Arc::new(Notify::new());
        let (seen, notify) = (remembers.then(|| calls.clone()), answered.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, handler.clone(), seen.clone(), notify.clone()));
            }
        });
        Self {
            address,
            calls,
            answered,
            _tasks: tasks,
        }
    }

    /// Answers the n-th call with the n-th reply, and all later ones with the last.
    pub async fn scripted(replies: Vec<Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().peekable());
        Self::start(move |_| {
            let mut replies = replies.lock().unwrap();
            let reply = replies.next().unwrap();
            if replies.peek().is_none() {
                *replies = vec![reply.clone()].into_iter().peekable();
            }
            reply
        })
        .await
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Waits until `is_done`, which is asked after each call; 30 seconds at most.
    pub async fn until(&self, is_done: impl Fn() -> bool) {
        let done = async {
            loop {
                let answered = self.answered.notified();
                if is_done() {
                    return;
                }
                answered.await;
            }
        };
        timeout(Duration::from_secs(30), done).await.unwrap();
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    handler: Arc<dyn Fn(&Call) -> Reply + Send + Sync>,
    seen: Option<Arc<Mutex<Vec<Call>>>>,
    answered: Arc<Notify>,
) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Some(call) = read_call(&mut stream).await {
        if let Some(seen) = &seen {
            seen.lock().unwrap().push(call.clone());
        }
        let mut reply = handler(&call);
        answered.notify_waiters();
        while let Reply::After(delay, then) = reply {
            tokio::time::sleep(delay).await;
            reply = *then;
        }
        let Reply::Answer {
            status,
            headers,
            body,
        } = reply
        else {
            if matches!(reply, Reply::Hang) {
                std::future::pending::<()>().await;
            }
            return;
        };
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let bytes = [head.as_bytes(), &body].concat();
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read_call(stream: &mut BufReader<TcpStream>) -> Option<Call> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut call = Call {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = call
        .header("content-length")
        .map_or(0, |n| n.parse().unwrap());
    call.body = vec![0; length];
    stream.read_exact(&mut call.body).await.ok()?;
    Some(call)
}
