package templates
import ("testing";"time";"fmt";"desist/takedown")
func TestX(t *testing.T){
 now:=time.Date(2026,11,24,10,0,0,0,time.UTC)
 for _,f:=range Lint(nil,now){fmt.Println(f)}
 l,err:=Load(Options{}); if err!=nil{t.Fatal(err)}
 r:=Sample(takedown.NoticeFirst,takedown.RoleHost,takedown.ClassPhishing,now); r.Party.Country="DE"
 d,err:=l.Render(r); fmt.Println(err,d.Subject); fmt.Println(d.Text); fmt.Printf("%+v %v\n",d.Elements,d.Warnings)
 r=Sample(takedown.NoticeWithdrawal,takedown.RoleHost,takedown.ClassPhishing,now); r.Party.Country="DE"
 d,err=l.Render(r); fmt.Println(err,d.Subject); fmt.Println(d.Text); fmt.Printf("%+v %v\n",d.Elements,d.Warnings)
 fmt.Println(l.Sheet("eu-de"))
}
