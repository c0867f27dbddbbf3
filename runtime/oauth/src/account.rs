//! The page on which users see what they have allowed to which application, and withdraw it.

use minijinja::value::Value;

use crate::endpoint_request::EndpointRequest;
use crate::error;
use crate::pages::{FormTargets, Page, mapping};
use crate::server::Server;
use gateway_base::timestamp;
use gateway_parties::clients_and_users::User;
use gateway_parties::database::StoreError;
use gateway_wire::answer::OwnAnswer;

/// GET shows the page; POST withdraws what was allowed to one client.
pub(super) async fn account(server: &Server, request: EndpointRequest) -> OwnAnswer {
    match server.answer_account(&request).await {
        Ok(answer) => answer,
        Err(problem) => {
            error::report(&problem);
            server.page_error(&request.language, 503, "error_busy", "").with("Retry-After", "5")
        }
    }
}

impl Server {
    async fn answer_account(&self, request: &EndpointRequest) -> Result<OwnAnswer, StoreError> {
        let forbidden = || self.page_error(&request.language, 403, "error_form", "");
        let (Some(cookie), Some(id)) =
            (&request.cookie, request.caller.as_ref().and_then(|caller| caller.user.clone()))
        else {
            return Ok(forbidden());
        };
        let Some(user) = self.parties.user(&id).await? else { return Ok(forbidden()) };
        let form = request.form.as_ref().ok();
        if request.is_post {
            let client = form.and_then(|form| form.get("client_id"));
            let (Some(client), true) = (client, self.has_form_tag(cookie, form.and_then(|form| form.get("csrf"))))
            else {
                return Ok(forbidden());
            };
            self.store.withdraw(self.table.issuer, &id, client).await?;
            self.forget_all();
            // A page that was asked for by GET can be loaded again.
            return Ok(OwnAnswer::redirect(303, &format!("{}?withdrawn=1", self.table.paths.account)));
        }
        let was_withdrawn = form.is_some_and(|form| form.get("withdrawn").is_some());
        let notice =
            if was_withdrawn { self.pages.text(&request.language, "account_withdrawn") } else { String::new() };
        let applications = self.applications(&user, &request.language).await?;
        let paths = &self.table.paths;
        Ok(self.pages.answer(Page {
            template: "account.html",
            status: 200,
            language: &request.language,
            values: vec![
                ("user", Value::from(user.username.as_str())),
                ("email", Value::from(user.email.as_deref().unwrap_or_default())),
                ("applications", Value::from_iter(applications)),
                ("action", Value::from(paths.withdrawal)),
                ("logout", Value::from(paths.logout)),
                ("csrf", Value::from(self.form_tag(cookie))),
                ("notice", Value::from(notice)),
            ],
            forms_lead_to: FormTargets::Here,
        }))
    }

    /// What the user has allowed, by client.
    async fn applications(&self, user: &User, language: &str) -> Result<Vec<Value>, StoreError> {
        let mut applications = Vec::new();
        for consent in self.store.consents(self.table.issuer, &user.id).await? {
            let client = self.parties.client(&consent.client).await?;
            let name = client.as_ref().map(|client| client.title(language));
            let scopes = consent.scopes.iter().map(|scope| self.show_scope(scope));
            let day = timestamp::format(consent.since).chars().take(10).collect::<String>();
            let members = [
                ("id", Value::from(consent.client.as_str())),
                ("name", Value::from(name.unwrap_or(&consent.client))),
                ("scopes", Value::from_iter(scopes)),
                ("since", Value::from(day)),
            ];
            applications.push(mapping(members));
        }
        Ok(applications)
    }
}
