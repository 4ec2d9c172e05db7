; The Windows installer, for Inno Setup 6. NOT RUN YET: written and checked on Linux only.
;   iscc /DVersion=0.1.0 /DBundle=..\..\build\bundle\segue packaging\windows\segue.iss
; It installs for one user without asking for an administrator, and for all where one says so.
#ifndef Version
  #error say /DVersion=...
#endif
#ifndef Bundle
  #define Bundle "..\..\build\bundle\segue"
#endif

[Setup]
AppId={{6E1C9C52-6C55-4B6E-9C40-7F2A5B0D5E6A}
AppName=Segue
AppVersion={#Version}
AppVerName=Segue {#Version}
AppPublisher=The Segue authors
DefaultDirName={autopf}\Segue
DefaultGroupName=Segue
DisableProgramGroupPage=yes
DisableDirPage=auto
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
LicenseFile=..\..\LICENSE
OutputDir=..\..\build\out
OutputBaseFilename=segue-{#Version}-windows-x64-setup
SetupIconFile=..\..\build\icons\segue.ico
UninstallDisplayIcon={app}\segue.exe
UninstallDisplayName=Segue
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern
CloseApplications=yes

[Files]
Source: "{#Bundle}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\Segue"; Filename: "{app}\segue.exe"
Name: "{autodesktop}\Segue"; Filename: "{app}\segue.exe"; Tasks: desktop

[Tasks]
Name: desktop; Description: "Put an icon on the desktop"; Flags: unchecked

[Run]
Filename: "{app}\segue.exe"; Description: "Play Segue"; Flags: nowait postinstall skipifsilent

; Removal takes what was installed and the models that were fetched. Settings and autosaves, in
; %APPDATA%\Segue, and recordings, in Music\Segue, are the user's own and stay.
[UninstallDelete]
Type: filesandordirs; Name: "{localappdata}\Segue\models"
