//! A token's life in six steps: `cargo run -p keyfob --example walkthrough`.

use keyfob::{
    DeviceBinding, Error, Filter, Grant, Kind, MemoryStore, Paging, Refusal, TokenManager, Ttl,
    ValidationChain, Why,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = TokenManager::new(MemoryStore::new()?);

    let grant = Grant::new(Kind::Access)
        .subject("user123")
        .issuer("example-service")
        .audience("example-app")
        .scope("read")
        .device_id("device123")
        .user_agent("ExampleApp/1.0")
        .platform("iOS")
        .label("environment", "production")
        .tag("mobile");
    let issued = manager.issue(grant).await?;
    println!("Token created: {}", issued.token.id);

    let chain = ValidationChain::new()
        .allow_issuer("example-service")
        .allow_audience("example-app")
        .require_scope("read")
        .device(DeviceBinding::Unchecked)
        .clock_skew(Ttl::from_mins(1));
    let token = manager.validate(&issued.bearer, &chain).await?;
    println!("Token validation successful for {:?}", token.subject);

    let filter = Filter::new()
        .kind(Kind::Access)
        .subject("user123")
        .tag("mobile")
        .label("environment", "production");
    let page = manager.list(&filter, Paging::by(10)).await?;
    println!("Found {} matching tokens", page.tokens.len());

    manager.revoke(token.id, Why::because("user logout")).await?;
    if let Some(revocation) = manager.get(token.id).await?.revocation {
        println!("Token revoked at: {}, because: {:?}", revocation.at, revocation.reason);
    }

    match manager.validate(&issued.bearer, &chain).await {
        Err(Error::Refused(refusal @ Refusal::Revoked(_))) => {
            println!("Expected validation failure: {refusal}");
        }
        other => return Err(format!("the token should be refused, not {other:?}").into()),
    }
    manager.shutdown().await;
    Ok(())
}
