//! E: an empty unary call of tonic, served by a process of its own: what any call costs, whatever it does.

use super::calls::timed;
use futures::future::{BoxFuture, FutureExt, ready};
use http::uri::PathAndQuery;
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::server::NamedService;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// One call; how long it took.
pub async fn call(client: &mut Grpc<Channel>) -> Duration {
    client.ready().await.expect("the connection lives");
    let path = PathAndQuery::from_static("/bench.Empty/Call");
    let (answer, took) = timed(client.unary(Request::new(()), path, ProstCodec::<(), ()>::default())).await;
    answer.expect("an answer");
    took
}

#[derive(Clone)]
struct Empty;

impl NamedService for Empty {
    const NAME: &'static str = "bench.Empty";
}

impl tower::Service<http::Request<Body>> for Empty {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<(), ()>::default());
            let answer = tower::service_fn(|_: Request<()>| ready(Ok::<_, Status>(Response::new(()))));
            Ok(grpc.unary(answer, request).await)
        }
        .boxed()
    }
}

/// The server's process; it ends when dropped.
pub struct EmptyServer {
    pub address: SocketAddr,
    _process: Child,
    /// Open as long as the process: it says something after a minute.
    _output: Lines<BufReader<ChildStdout>>,
}

const SERVES: &str = "the empty server serves on ";

impl EmptyServer {
    pub async fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["bench::empty::serve", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        loop {
            let line = lines.next_line().await.expect("its output").expect("a line with the address");
            if let Some((_, address)) = line.split_once(SERVES) {
                let address = address.parse().expect("an address");
                return Self { address, _process: process, _output: lines };
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process that the benchmark starts"]
async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{SERVES}{}", listener.local_addr().expect("an address"));
    // Its input ends with the benchmark.
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).map(drop);
    let server = Server::builder().tcp_nodelay(true).add_service(Empty);
    server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), end).await.expect("it serves");
}
