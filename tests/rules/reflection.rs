//! Reflection v1 and v1alpha describe the contract, so that grpcurl needs no files.

use crate::support::server::server;
use crate::support::wait::within;
use futures::stream;
use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::transport::Channel;
use tonic_reflection::pb::{v1, v1alpha};

const SERVICES: [&str; 4] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "leadpipeline.v1.LeadPipeline",
];

async fn ask_v1(
    channel: Channel,
    request: v1::server_reflection_request::MessageRequest,
) -> v1::ServerReflectionResponse {
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let request = v1::ServerReflectionRequest { message_request: Some(request), ..Default::default() };
    let asked = client.server_reflection_info(stream::iter([request])).await.expect("an answer");
    within("reflection", asked.into_inner().message()).await.expect("an answer").expect("an answer")
}

#[tokio::test]
async fn v1_lists_the_services_and_describes_the_contract() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let server = server().await;
    let listed = ask_v1(server.channel(), MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(list)) = listed.message_response else { panic!("{listed:?}") };
    let mut names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    names.sort_unstable();
    for service in SERVICES {
        assert!(service.contains("reflection") || names.contains(&service), "{service} in {names:?}");
    }
    for symbol in ["leadpipeline.v1.LeadPipeline", "leadpipeline.v1.ErrorReason", "google.rpc.BadRequest"] {
        let described = ask_v1(server.channel(), MessageRequest::FileContainingSymbol(symbol.into())).await;
        let Some(MessageResponse::FileDescriptorResponse(files)) = described.message_response else {
            panic!("{symbol}: {described:?}")
        };
        let file = FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).expect("a descriptor");
        assert!(symbol.starts_with(file.package()), "{symbol} in {}", file.name());
        if symbol.starts_with("leadpipeline") {
            assert!(file.source_code_info.is_some(), "with the comments");
        }
    }
}

#[tokio::test]
async fn v1alpha_is_there_for_older_tools() {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;
    let server = server().await;
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel());
    let request = v1alpha::ServerReflectionRequest {
        message_request: Some(MessageRequest::FileContainingSymbol("leadpipeline.v1.LeadPipeline".into())),
        ..Default::default()
    };
    let asked = client.server_reflection_info(stream::iter([request])).await.expect("an answer");
    let answer = within("reflection", asked.into_inner().message()).await.expect("an answer").expect("an answer");
    assert!(matches!(answer.message_response, Some(MessageResponse::FileDescriptorResponse(_))), "{answer:?}");
}
