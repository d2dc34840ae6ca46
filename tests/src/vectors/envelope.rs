//! Faults around a payload: the COSE_Sign1 envelope, its header, its signature, its type (C-11 to C-13).

use serde_json::json;

use super::case::{Case, Fault, hex};
use super::cast::{NOW, key, party, seed};
use super::cbor::Cbor;
use super::forge::{Envelope, id_of, to_be_signed};
use super::world::World;
use crate::{faults, list, map};

type Forgery = fn(&World) -> Vec<u8>;

/// The cases of `statement.json`, all of them revocations or what should have been one.
pub fn cases(world: &World) -> Vec<Case> {
    let faults = faults![Forgery;
        "C-11" "statement" tagged_protected_header_with_another_algorithm,
        "C-11" "statement" protected_header_without_a_signer,
        "C-11" "statement" protected_header_with_a_third_field,
        "C-11" "statement" protected_header_with_a_short_signer,
        "C-11" "statement" unprotected_header_with_a_field,
        "C-11" "statement" three_parts,
        "C-11" "statement" five_parts,
        "C-11" "statement" map_in_place_of_the_array,
        "C-11" "statement" signature_of_sixty_three_bytes,
        "C-11" "encoding" payload_detached,
        "C-03" "encoding" cose_tag_around_it,
        "C-04" "encoding" byte_after_the_statement,
        "C-07" "encoding" statement_above_the_limit_of_its_type,
        "C-12" "statement" signature_with_a_flipped_bit,
        "C-12" "statement" payload_changed_after_signing,
        "C-12" "statement" signer_changed_after_signing,
        "C-12" "statement" signature_with_a_second_spelling_of_s,
        "C-12" "statement" signer_of_small_order_who_has_signed_everything,
        "C-12" "statement" signer_that_is_no_point,
        "C-12" "statement" signature_without_the_context,
        "C-13" "statement" erasure_shown_as_a_revocation,
        "C-13" "statement" revocation_signed_as_of_version_two,
        "C-02" "encoding" payload_with_a_field_twice,
        "C-06" "encoding" payload_with_a_field_of_version_two,
        "C-06" "encoding" payload_without_a_field,
        "C-06" "encoding" payload_that_is_a_list,
    ];
    let good = revocation(world).join();
    let output = json!({ "id": hex(id_of("revocation", &good)), "signer": hex(key("phone")) });
    let input = json!({ "type": "revocation", "bytes": hex(&good) });
    let mut cases = vec![Case::good("statement", "C-12", "revocation-as-it-should-be", input).gives(output)];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        Case::bad("statement", rule, stage, &name, json!({ "type": "revocation", "bytes": hex(put(world)) }))
    }));
    cases
}

fn payload(world: &World) -> Cbor {
    map! { 1 => world.vault, 2 => seed("some grant"), 3 => 1, 4 => NOW }
}

fn revocation(world: &World) -> Envelope {
    Envelope::sign("revocation", &payload(world), &party("phone"))
}

fn under_header(world: &World, header: &Cbor) -> Vec<u8> {
    Envelope::sign_under("revocation", header.encode(), payload(world).encode(), &party("phone")).join()
}

fn with_payload(payload: &Cbor) -> Vec<u8> {
    Envelope::sign("revocation", payload, &party("phone")).join()
}

fn tagged_protected_header_with_another_algorithm(world: &World) -> Vec<u8> {
    under_header(world, &map! { 1 => Cbor::Negative(6), 4 => key("phone") })
}

fn protected_header_without_a_signer(world: &World) -> Vec<u8> {
    under_header(world, &map! { 1 => Cbor::Negative(7) })
}

fn protected_header_with_a_third_field(world: &World) -> Vec<u8> {
    under_header(world, &map! { 1 => Cbor::Negative(7), 4 => key("phone"), 5 => 0 })
}

fn protected_header_with_a_short_signer(world: &World) -> Vec<u8> {
    under_header(world, &map! { 1 => Cbor::Negative(7), 4 => &key("phone")[..31] })
}

fn unprotected_header_with_a_field(world: &World) -> Vec<u8> {
    Envelope { unprotected: map! { 4 => key("phone") }, ..revocation(world) }.join()
}

fn three_parts(world: &World) -> Vec<u8> {
    let Envelope { protected, payload, signature, .. } = revocation(world);
    list![protected, payload, signature].encode()
}

fn five_parts(world: &World) -> Vec<u8> {
    let Envelope { protected, unprotected, payload, signature } = revocation(world);
    list![protected, unprotected, payload, signature, 0].encode()
}

fn map_in_place_of_the_array(world: &World) -> Vec<u8> {
    let Envelope { protected, unprotected, payload, signature } = revocation(world);
    map! { 0 => protected, 1 => unprotected, 2 => payload, 3 => signature }.encode()
}

fn signature_of_sixty_three_bytes(world: &World) -> Vec<u8> {
    let mut envelope = revocation(world);
    envelope.signature.pop();
    envelope.join()
}

fn payload_detached(world: &World) -> Vec<u8> {
    let Envelope { protected, unprotected, signature, .. } = revocation(world);
    list![protected, unprotected, Cbor::Raw(vec![0xf6]), signature].encode()
}

fn cose_tag_around_it(world: &World) -> Vec<u8> {
    [&[0xd2], &revocation(world).join()[..]].concat()
}

fn byte_after_the_statement(world: &World) -> Vec<u8> {
    [&revocation(world).join()[..], &[0]].concat()
}

fn statement_above_the_limit_of_its_type(world: &World) -> Vec<u8> {
    with_payload(&payload(world).with(5, vec![0; 1024]))
}

fn signature_with_a_flipped_bit(world: &World) -> Vec<u8> {
    let mut envelope = revocation(world);
    envelope.signature[5] ^= 1;
    envelope.join()
}

fn payload_changed_after_signing(world: &World) -> Vec<u8> {
    Envelope { payload: payload(world).with(3, 2).encode(), ..revocation(world) }.join()
}

fn signer_changed_after_signing(world: &World) -> Vec<u8> {
    Envelope { protected: map! { 1 => Cbor::Negative(7), 4 => key("tablet") }.encode(), ..revocation(world) }.join()
}

/// S plus the order of the group: the same signature to a lax reader.
fn signature_with_a_second_spelling_of_s(world: &World) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut envelope = revocation(world);
    let mut carry = 0;
    for (byte, add) in envelope.signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    envelope.join()
}

/// The neutral element as key, R = neutral, S = 0: the equation holds for every message.
fn signer_of_small_order_who_has_signed_everything(world: &World) -> Vec<u8> {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let protected = map! { 1 => Cbor::Negative(7), 4 => neutral }.encode();
    Envelope { protected, signature: [neutral, [0; 32]].concat(), ..revocation(world) }.join()
}

fn signer_that_is_no_point(world: &World) -> Vec<u8> {
    let mut no_point = [0; 32];
    no_point[0] = 2;
    Envelope { protected: map! { 1 => Cbor::Negative(7), 4 => no_point }.encode(), ..revocation(world) }.join()
}

fn signature_without_the_context(world: &World) -> Vec<u8> {
    let mut envelope = revocation(world);
    let message = list!["Signature1", envelope.protected.clone(), Vec::<u8>::new(), envelope.payload.clone()].encode();
    envelope.signature = party("phone").sign(&message).as_bytes().to_vec();
    envelope.join()
}

/// An erasure and a revocation may have the same bytes; only the type in the context tells them apart.
fn erasure_shown_as_a_revocation(world: &World) -> Vec<u8> {
    Envelope::sign("erasure", &payload(world), &party("phone")).join()
}

fn revocation_signed_as_of_version_two(world: &World) -> Vec<u8> {
    let mut envelope = revocation(world);
    let message = to_be_signed("revocation", &envelope.protected, &envelope.payload);
    let aad = b"karute-v1/ed25519/revocation";
    let at = message.windows(aad.len()).position(|part| part == aad).expect("the context stands in it");
    let mut message = message;
    message[at + "karute-v".len()] = b'2';
    envelope.signature = party("phone").sign(&message).as_bytes().to_vec();
    envelope.join()
}

fn payload_with_a_field_twice(world: &World) -> Vec<u8> {
    let Cbor::Map(mut pairs) = payload(world) else { unreachable!("a map") };
    pairs.insert(3, pairs[2].clone());
    with_payload(&Cbor::Map(pairs))
}

fn payload_with_a_field_of_version_two(world: &World) -> Vec<u8> {
    with_payload(&payload(world).with(5, 1))
}

fn payload_without_a_field(world: &World) -> Vec<u8> {
    let mut payload = payload(world);
    payload.leave_away(4);
    with_payload(&payload)
}

fn payload_that_is_a_list(world: &World) -> Vec<u8> {
    with_payload(&list![world.vault, seed("some grant"), 1, NOW])
}
