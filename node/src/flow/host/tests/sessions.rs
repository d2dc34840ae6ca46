//! The session itself: hello, order, limits, the end.

use karute_protocol::message::{Close, Hello, Message, Version};

use super::cast::*;
use super::world::*;
use crate::flow::host::Registration;

#[tokio::test]
async fn hello_gives_a_fresh_challenge_each_time() {
    let world = World::new();
    let one = world.client(51).await;
    let two = world.client(51).await;
    assert_ne!(one.challenge, two.challenge);
}

#[tokio::test]
async fn a_message_before_hello_ends_the_session() {
    let world = World::new();
    let mut client = Client::silent(world.host.clone(), 51);
    client.send(Close {}).await;
    assert!(client.frame().await.is_none());
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_a_fault_and_the_end() {
    let world = World::new();
    let mut client = Client::silent(world.host.clone(), 51);
    let answers = client.ask(Hello { versions: vec![Version(2)], heads: Vec::new() }).await;
    assert!(matches!(answers.last(), Message::Fault(_)));
    assert!(client.frame().await.is_none());
}

#[tokio::test]
async fn a_second_hello_a_message_for_a_client_or_a_falling_number_ends_the_session() {
    let world = World::new();
    let mut client = world.client(51).await;
    client.send(Hello { versions: vec![Version(1)], heads: Vec::new() }).await;
    assert!(client.frame().await.is_none());

    let mut client = world.client(51).await;
    client.send(karute_protocol::message::Refusal {}).await;
    assert!(client.frame().await.is_none());

    let mut client = world.client(51).await;
    client.next = 1;
    client.send(Close {}).await;
    assert!(client.frame().await.is_none());
}

#[tokio::test]
async fn bytes_that_are_no_message_end_the_session() {
    let world = World::new();
    let mut client = world.client(51).await;
    client.outbox.message(crate::frame::FrameId(2), vec![99, 0xa0]).await.unwrap();
    assert!(client.frame().await.is_none());
}

#[tokio::test]
async fn closing_the_host_ends_idle_sessions() {
    let world = World::new();
    let mut client = world.client(51).await;
    world.host.close();
    assert!(client.frame().await.is_none());
}

#[tokio::test]
async fn a_vault_that_is_not_here_is_refused_as_any_other_and_only_counted() {
    let world = World::new();
    let mut client = world.client(51).await;
    let (patient, _) = Patient::first_append();
    let face = karute_protocol::message::Face { vault: patient.vault };
    assert!(client.ask(face).await.is_refusal());
    assert_eq!(world.host.strangers_refused(), 1);
}

#[tokio::test]
async fn a_session_that_is_refused_again_and_again_ends() {
    let world = World::new();
    let mut client = world.client(51).await;
    let (patient, _) = Patient::first_append();
    for _ in 0..64 {
        let face = karute_protocol::message::Face { vault: patient.vault };
        assert!(client.ask(face).await.is_refusal());
    }
    client.send(Close {}).await;
    assert!(client.frame().await.is_none());
}

#[tokio::test]
async fn registration_is_asked_for() {
    let world = World::with(Registration::Code("open sesame".to_owned()));
    let mut client = world.client(51).await;
    let (_, append) = Patient::first_append();
    client.ask(karute_protocol::message::Attach { bytes: vec![0; 40].into() }).await;
    let wanted = karute_protocol::message::FaultCode::RegistrationWanted;
    assert_eq!(client.ask(append.clone()).await.fault(), wanted);
    let code = |text: &str| Some(karute_protocol::message::Registration(text.to_owned()));
    let mut wrong = append.clone();
    wrong.registration = code("open sesamE");
    assert_eq!(client.ask(wrong).await.fault(), wanted);
    let mut right = append;
    right.registration = code("open sesame");
    assert!(matches!(client.ask(right).await.last(), Message::Appended(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_serves_the_network_and_ends_in_good_order() {
    use crate::flow::host::run::{Ending, Node};
    use crate::frame::{FrameId, FrameReader, FrameWriter, Outbox};
    use crate::net::{Dialer, TransportSeed};

    let world = World::new();
    let listen = ["/ip4/127.0.0.1/tcp/0".to_owned()];
    let node = Node::start(world.host.clone(), &TransportSeed::new([44; 32]), &listen).await.unwrap();
    let address = node.addresses()[0].to_string();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(node.run(async { drop(stopped.await) }));
    let connection = Dialer::new(&TransportSeed::new([45; 32])).unwrap().dial(&address).await.unwrap();
    let (from, to) = tokio::io::split(connection.open_stream().await.unwrap());
    let (outbox, _) = Outbox::start(FrameWriter::new(to));
    let hello = Message::from(Hello { versions: vec![Version(1)], heads: Vec::new() });
    outbox.message(FrameId(1), hello.encode().unwrap()).await.unwrap();
    let mut reader = FrameReader::new(from);
    let wait = std::time::Duration::from_secs(20);
    let frame = reader.next(wait).await.unwrap().unwrap();
    let Message::Welcome(welcome) = Message::decode(&frame.payload).unwrap() else { panic!() };
    assert_eq!(welcome.node, world.host.node());
    stop.send(()).unwrap();
    assert!(!matches!(reader.next(wait).await, Ok(Some(_)) | Err(crate::frame::ReadError::Idle)));
    let ending = tokio::time::timeout(std::time::Duration::from_secs(4), running).await.unwrap().unwrap();
    assert_eq!(ending, Ending::Asked, "an idle session does not use up the grace");
}
