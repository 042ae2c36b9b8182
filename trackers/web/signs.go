package web

// The signs below are compared with folded text (see fold). They are tables of
// constants, never changed.

// suspendedSite says of the site or domain that its provider took it away.
// Nobody but a provider writes this.
var suspendedSite = []string{
	// English
	"this account has been suspended", "this site has been suspended", "this website has been suspended",
	"this domain has been suspended", "this page has been suspended", "website is suspended", "site is suspended",
	"this website has been disabled", "this site has been disabled", "site has been blocked by the hosting",
	"hosting account has been suspended", "hosting account is suspended", "web site is currently unavailable because it was suspended",
	"has been removed for violating", "removed because it violated", "removed for a violation of our terms",
	"taken down due to abuse", "taken down for abuse", "suspended due to abuse", "suspended for abuse",
	"disabled due to phishing", "suspended for phishing", "domain suspended due to", "domain name has been suspended",
	"this domain has been seized", "this website has been seized", "this site has been archived or suspended",
	"contact your hosting provider for more information",
	// German
	"diese webseite wurde gesperrt", "diese website wurde gesperrt", "diese seite wurde gesperrt", "diese domain wurde gesperrt",
	"diese internetpräsenz wurde gesperrt", "dieser webspace wurde gesperrt", "diese domain ist gesperrt", "webseite ist gesperrt",
	// French
	"ce site a été suspendu", "ce site est suspendu", "ce site web a été suspendu", "ce domaine a été suspendu",
	"ce site a été désactivé", "hébergement suspendu", "ce compte a été suspendu",
	// Spanish
	"este sitio ha sido suspendido", "este sitio web ha sido suspendido", "esta página ha sido suspendida",
	"este dominio ha sido suspendido", "esta cuenta ha sido suspendida", "sitio suspendido por",
	// Portuguese
	"este site foi suspenso", "este domínio foi suspenso", "esta conta foi suspensa", "site suspenso por", "página suspensa por",
	// Italian
	"questo sito è stato sospeso", "questo dominio è stato sospeso", "questo account è stato sospeso", "sito web sospeso",
	// Dutch
	"deze website is geblokkeerd", "deze website is opgeschort", "dit domein is geblokkeerd", "dit account is opgeschort",
	// Polish
	"ta strona została zawieszona", "strona została zablokowana", "to konto zostało zawieszone", "ta domena została zablokowana",
	// Czech
	"tento web byl pozastaven", "tato doména byla zablokována",
	// Romanian
	"acest site a fost suspendat", "acest cont a fost suspendat",
	// Russian and Ukrainian
	"этот сайт заблокирован", "сайт временно заблокирован", "работа сайта приостановлена", "обслуживание сайта приостановлено",
	"хостинг-аккаунт заблокирован", "домен заблокирован", "цей сайт заблоковано", "роботу сайту призупинено",
	// Turkish
	"bu web sitesi askıya alınmıştır", "bu site askıya alınmıştır", "bu hesap askıya alınmıştır", "bu alan adı askıya alınmıştır",
	// Indonesian and Malay
	"akun ini telah ditangguhkan", "situs ini telah ditangguhkan", "laman web ini telah digantung",
	// Vietnamese
	"trang web này đã bị tạm ngưng", "website này đã bị tạm ngưng", "tài khoản này đã bị đình chỉ",
	// Japanese
	"このサイトは停止されています", "このアカウントは停止されています", "このドメインは停止されています", "このアカウントは凍結されています",
	// Chinese
	"该网站已被关闭", "该网站已被暂停", "该账户已被暂停", "网站已被停止访问", "此网站已被封锁", "該網站已被暫停", "此網站已被停用",
	// Korean
	"이 사이트는 차단되었습니다", "이 웹사이트는 정지되었습니다", "이 계정은 정지되었습니다",
	// Arabic and Hebrew
	"تم تعليق هذا الموقع", "تم إيقاف هذا الموقع", "تم تعليق هذا الحساب", "אתר זה הושעה",
}

// suspendedAccount is what providers say in few words, and phishing in many.
var suspendedAccount = []string{
	"account suspended", "account has been suspended", "site suspended", "website suspended", "domain suspended", "suspended page",
	"konto gesperrt", "webseite gesperrt", "website gesperrt", "compte suspendu", "site suspendu", "cuenta suspendida", "sitio suspendido",
	"conta suspensa", "site suspenso", "account sospeso", "sito sospeso", "account opgeschort", "website opgeschort",
	"konto zawieszone", "strona zawieszona", "аккаунт заблокирован", "сайт заблокирован", "hesap askıya alındı", "site askıya alındı",
	"akun ditangguhkan", "tài khoản bị đình chỉ", "アカウント停止", "账户已暂停", "帳戶已暫停", "계정 정지",
}

// possessives make a lure of a suspension.
var possessives = []string{
	"your account", "your card", "your profile", "ihr konto", "dein konto", "votre compte", "su cuenta", "tu cuenta", "sua conta",
	"il tuo account", "il suo conto", "uw account", "je account", "twoje konto", "ваш аккаунт", "ваша учетная запись", "hesabınız",
	"akun anda", "tài khoản của bạn", "お客様のアカウント", "您的账户", "您的帳戶", "귀하의 계정",
}

// parkingSigns are the words of parking and sale pages.
var parkingSigns = []string{
	"this domain is for sale", "domain is for sale", "domain may be for sale", "domain name is for sale", "buy this domain",
	"this domain is parked", "domain is parked", "this domain has been parked", "parked free, courtesy of", "domain parking page",
	"this web page is parked", "inquire about this domain", "make an offer on this domain", "this domain has expired", "domain expired",
	"diese domain steht zum verkauf", "diese domain ist geparkt", "domain ist zu verkaufen", "ce domaine est à vendre", "nom de domaine en vente",
	"este dominio está en venta", "dominio aparcado", "dominio estacionado", "este domínio está à venda", "domínio estacionado",
	"questo dominio è in vendita", "dominio parcheggiato", "dit domein is te koop", "domein is geparkeerd", "domena na sprzedaż",
	"домен продается", "домен продаётся", "домен припаркован", "bu alan adı satılıktır", "このドメインは販売中", "此域名正在出售", "该域名出售",
}

// parkingSources are services that serve nothing but parking.
var parkingSources = []string{
	"sedoparking.com", "parkingcrew.net", "parklogic.com", "bodis.com", "dan.com/buy-domain", "afternic.com/forsale",
	"hugedomains.com/domain_profile", "parking.reg.ru", "cashparking.com", "above.com/marketplace",
}

// challengeSigns are the words of gates before a page.
var challengeSigns = []string{
	"checking your browser", "just a moment...", "attention required!", "verify you are human", "verifying you are human",
	"are you a robot", "i'm not a robot", "ddos protection by", "enable javascript and cookies to continue", "please complete the security check",
	"unusual traffic from your", "request unsuccessful. incapsula", "this page is reported as", "suspected phishing",
	"browserüberprüfung", "vérification de votre navigateur", "comprobando su navegador", "проверка браузера", "ブラウザを確認しています", "正在检查您的浏览器",
}

// challengeSources are scripts that gates load.
var challengeSources = []string{
	"/cdn-cgi/challenge-platform/", "challenges.cloudflare.com", "/.well-known/ddos-guard/", "hcaptcha.com/1/api.js",
	"recaptcha/api.js", "/_incapsula_resource", "geo.captcha-delivery.com",
}

// defaultSigns are what a server shows before anybody put a page there.
var defaultSigns = []string{
	"welcome to nginx!", "apache2 ubuntu default page", "apache2 debian default page", "apache http server test page",
	"iis windows server", "default web site page", "web server's default page", "domain default page", "welcome to openresty!",
	"this is the default welcome page", "caddy works!", "litespeed web server at", "congratulations! your site is online", "site under construction by the host",
}
