//! Tests of the launcher itself.

use super::server::PROGRAM;
use super::*;

#[test]
fn a_stream_outlives_a_kill_and_is_read_in_order() {
    let server = NatsServer::start().unwrap();
    server.create_stream("S", "s.>", "").unwrap();
    server.create_stream("T", "s.>", "").unwrap_err();
    assert!(server.messages("S").unwrap().is_empty());
    server.kill9();
    server.messages("S").unwrap_err();
    server.restart().unwrap();
    assert!(server.messages("S").unwrap().is_empty());
    server.messages("T").unwrap_err();
    server.delete_stream("S").unwrap();
    server.delete_stream("S").unwrap_err();
}

#[test]
fn a_server_with_a_login_refuses_others() {
    let server = NatsServer::builder().login("test", "secret").start().unwrap();
    server.create_stream("S", "s.>", "").unwrap();
    let error = super::client::Client::connect(server.port(), None).map(drop).unwrap_err();
    assert!(error.to_string().contains("Authorization Violation"), "{error}");
}

#[test]
fn a_missing_program_is_said_clearly() {
    let path = "/nowhere/nats-server".into();
    let text = LaunchError::Missing { path, program: PROGRAM }.to_string();
    assert!(text.contains("nats-server") && text.contains("KEYFOB_NATS_SERVER"), "{text}");
}
