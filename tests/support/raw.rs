//! A client that sends bytes, not messages: for what no proper client would send, or no proper client would show.

use bytes::{BufMut, Bytes, BytesMut};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::request::Builder;
use http::{HeaderMap, Request};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tonic::{Code, Status};

use super::wait::within;

/// One connection.
#[derive(Clone)]
pub struct RawClient(SendRequest<Bytes>);

/// What came back.
#[derive(Debug)]
pub struct RawAnswer {
    /// The bytes of the response message; empty if there was none.
    pub message: Bytes,
    pub status: Status,
}

impl RawClient {
    pub async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("a connection");
        let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self(client)
    }

    /// Calls a method of the pipeline with a message of these bytes.
    pub async fn call(&self, method: &str, message: &[u8]) -> RawAnswer {
        self.send(method, &[], framed(message)).await
    }

    /// Calls a method with more headers, and with these bytes as the whole body.
    pub async fn send(&self, method: &str, headers: &[(&'static str, &str)], body: Bytes) -> RawAnswer {
        within("an answer to raw bytes", self.exchange(method, headers, body)).await
    }

    /// Opens a call and sends a message again and again, a frame each, until the server takes no more. The call stays
    /// open as long as what is returned lives.
    pub async fn pour(&self, method: &str, message: &[u8]) -> (ResponseFuture, SendStream<Bytes>) {
        let request = request(method).body(()).expect("a request");
        let mut client = self.0.clone().ready().await.expect("the connection lives");
        let (response, mut stream) = client.send_request(request, false).expect("sent");
        let frame = framed(message);
        loop {
            stream.reserve_capacity(frame.len());
            while stream.capacity() < frame.len() {
                let more = std::future::poll_fn(|context| stream.poll_capacity(context));
                match tokio::time::timeout(Duration::from_millis(300), more).await {
                    Ok(more) => more.expect("it is open").map(drop).expect("the connection lives"),
                    Err(_) => return (response, stream),
                }
            }
            stream.send_data(frame.clone(), false).expect("the connection lives");
        }
    }

    async fn exchange(&self, method: &str, headers: &[(&'static str, &str)], body: Bytes) -> RawAnswer {
        let mut request = request(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut client = self.0.clone().ready().await.expect("the connection lives");
        let (response, mut stream) = client.send_request(request.body(()).expect("a request"), false).expect("sent");
        let sending = tokio::spawn(async move {
            let mut body = body;
            while !body.is_empty() {
                stream.reserve_capacity(body.len());
                let capacity = std::future::poll_fn(|context| match stream.poll_capacity(context) {
                    // The server has closed its side: it has heard enough.
                    Poll::Ready(None | Some(Err(_))) => Poll::Ready(0),
                    Poll::Ready(Some(Ok(capacity))) => Poll::Ready(capacity),
                    Poll::Pending => Poll::Pending,
                });
                let size = capacity.await.min(body.len());
                if size == 0 || stream.send_data(body.split_to(size), false).is_err() {
                    return;
                }
            }
            stream.send_data(Bytes::new(), true).ok();
        });
        let (head, mut body) = response.await.expect("an answer").into_parts();
        let mut message = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data.expect("the answer goes on");
            body.flow_control().release_capacity(data.len()).expect("room");
            message.extend_from_slice(&data);
        }
        let trailers = body.trailers().await.expect("trailers").unwrap_or_default();
        sending.abort();
        let status = status(&trailers).or_else(|| status(&head.headers)).expect("a gRPC status");
        // Behind the five bytes of its frame.
        let message = message.split_off(message.len().min(5)).freeze();
        RawAnswer { message, status }
    }
}

fn request(method: &str) -> Builder {
    Request::post(format!("http://test/leadpipeline.v1.LeadPipeline/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

fn status(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers)
}

impl RawAnswer {
    pub fn code(&self) -> Code {
        self.status.code()
    }
}

/// A gRPC frame: no compression, the length, the message.
pub fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("below 4 GiB"));
    frame.put_slice(message);
    frame.freeze()
}
