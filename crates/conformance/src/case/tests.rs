use super::*;

const ANSWERS: &[Answer] =
    &[Answer::new("x=true", "yes", |_| {}), Answer::new("x=false", "no", |_| {})];

fn seen(text: &str) -> Seen {
    Ok(text.to_owned())
}

#[test]
fn a_departure_is_asserted_and_its_end_noticed() {
    let case = Case::documented("a", "API", "accepted", |_| seen("")).moto("HTTP 500");
    assert!(case.judge(Server::Sandbox, None, &seen("accepted")).is_ok());
    assert!(case.judge(Server::MiniStack, None, &seen("accepted")).is_ok());
    assert!(case.judge(Server::Moto, None, &seen("HTTP 500")).is_ok());
    let failure = Refused { code: None, status: Some(500) };
    assert!(case.judge(Server::Moto, None, &Err(failure)).is_ok());
    let mended = case.judge(Server::Moto, None, &seen("accepted")).unwrap_err();
    assert!(mended.contains("strike its departure"), "{mended}");
    let other = case.judge(Server::Moto, None, &seen("refused")).unwrap_err();
    assert!(other.contains("departs otherwise"), "{other}");
    assert!(case.judge(Server::Sandbox, None, &seen("HTTP 500")).is_err());
    assert!(case.judge(Server::MiniStack, None, &seen("HTTP 500")).is_err());
}

#[test]
fn an_open_question_binds_the_sandbox_to_its_switch_and_an_emulator_to_any_answer() {
    let case = Case::unconfirmed("a", "nobody tells", ANSWERS, |_| seen(""));
    let [yes, no] = ANSWERS else { panic!("two answers") };
    assert!(case.judge(Server::Sandbox, Some(yes), &seen("yes")).is_ok());
    assert!(case.judge(Server::Sandbox, Some(yes), &seen("no")).is_err());
    assert!(case.judge(Server::Sandbox, Some(no), &seen("no")).is_ok());
    assert!(case.judge(Server::Moto, None, &seen("yes")).is_ok());
    assert!(case.judge(Server::Moto, None, &seen("no")).is_ok());
    assert!(case.judge(Server::Moto, None, &seen("perhaps")).is_err());
}

#[test]
fn a_refusal_is_its_code_and_an_unusual_status() {
    let refused = |code: Option<&str>, status| Refused { code: code.map(str::to_owned), status };
    assert_eq!(refused(Some("NotFoundException"), Some(400)).to_string(), "NotFoundException");
    assert_eq!(refused(Some("KMSInternal"), Some(500)).to_string(), "KMSInternal (500)");
    assert_eq!(refused(None, Some(500)).to_string(), "HTTP 500");
    assert_eq!(refused(None, None).to_string(), "no answer");
}
