//! A tool in the test process.

use std::{
    fmt,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use url::Url;

use crate::{
    dev::{ApiRequest, ApiResponse},
    event::Headers,
    ingress::percent_decoded,
};

type Answer = dyn Fn(&ApiRequest) -> ApiResponse + Send + Sync;

/// A stand-in of the tool on a port of its own. It answers from a function, such as
/// [`DevKit::api`](crate::dev::DevKit::api), and remembers every call. It works on threads of its own,
/// so that time may stand still in the test; they end with the process.
pub struct Site {
    /// Its address, without trailing slash.
    pub url: String,
    calls: Arc<Mutex<Vec<ApiRequest>>>,
}

impl Site {
    /// A site that answers every call like this, without headers.
    ///
    /// # Panics
    /// If there is no free port on the loopback address.
    pub fn always(status: u16, body: &'static str) -> Self {
        Self::answering(move |_| ApiResponse {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    }

    /// A site that answers from `answer`.
    ///
    /// # Panics
    /// If there is no free port on the loopback address.
    pub fn answering(answer: impl Fn(&ApiRequest) -> ApiResponse + Send + Sync + 'static) -> Self {
        let bound = TcpListener::bind("127.0.0.1:0").and_then(|it| Ok((it.local_addr()?, it)));
        let (address, listener) = bound.expect("the loopback address has a free port");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&calls));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                thread::spawn(move || serve(stream, &*answer, &seen));
            }
        });
        let url = format!("http://{address}");
        Self { url, calls }
    }

    /// The calls so far, such as `GET /rest/api/3/user?accountId=a1`, with paths decoded.
    pub fn calls(&self) -> Vec<String> {
        self.requests().iter().map(line_of).collect()
    }

    /// The calls so far.
    pub fn requests(&self) -> Vec<ApiRequest> {
        self.calls
            .lock()
            .expect("nothing panics while holding it")
            .clone()
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Site").field(&self.url).finish()
    }
}

fn line_of(call: &ApiRequest) -> String {
    let query: Vec<_> = call.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let query = match query.is_empty() {
        true => String::new(),
        false => format!("?{}", query.join("&")),
    };
    format!("{} {}{query}", call.method, call.path)
}

fn serve(mut stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<ApiRequest>>) {
    let Ok(incoming) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(incoming);
    while let Some(request) = read_request(&mut reader) {
        let response = answer(&request);
        seen.lock()
            .expect("nothing panics while holding it")
            .push(request);
        let mut head = format!(
            "HTTP/1.1 {} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            response.status,
            response.body.len()
        );
        for (name, value) in &response.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let sent = stream
            .write_all((head + "\r\n").as_bytes())
            .and_then(|()| stream.write_all(&response.body));
        if sent.is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<ApiRequest> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let url = Url::parse(&format!("http://site{target}")).ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let headers = Headers::new(headers);
    let length = match headers.get("content-length") {
        Some(text) => text.parse().ok()?,
        None => 0,
    };
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(ApiRequest {
        method,
        path: percent_decoded(url.path()),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: body.into(),
    })
}
