@echo off
rem The targets of the Makefile that Windows can run. `make run` starts the site.
setlocal enabledelayedexpansion
cd /d "%~dp0"
set PYTHON=.venv\Scripts\python.exe
set TARGET=%1
if "%TARGET%"=="" set TARGET=help
for %%t in (help install setup run test lint) do if /i "%TARGET%"=="%%t" goto %%t
echo make.bat has no target %TARGET%.
exit /b 2

:help
echo Mood Mirror: reads your mood from face, voice and text, and recommends for it.
echo.
echo   make run      Start the site at http://127.0.0.1:8000
echo   make test     Run the unit tests
echo   make install  Install what the site needs in .venv, without starting it
echo   make setup    Install everything in .venv: for the site, training, tests and documentation
echo   make lint     Check style, types and import layers
echo.
echo Settings are environment variables: set CAMERA=off, then make run. docs\configuration.md has all of them.
exit /b 0

:install
call :python tools\install.py serving
exit /b %errorlevel%

:setup
call :python tools\install.py development
exit /b %errorlevel%

:run
call :python tools\install.py serving || exit /b 1
%PYTHON% app.py
exit /b %errorlevel%

:test
call :python tools\install.py development || exit /b 1
set FILES=
for /f "delims=" %%f in ('findstr /m /c:"pytest.mark.unit" tests\test_*.py') do set FILES=!FILES! %%f
%PYTHON% -m pytest --numprocesses 2 --dist loadfile -m "unit and not training" %FILES%
exit /b %errorlevel%

:lint
call :python tools\install.py development || exit /b 1
%PYTHON% -m ruff check . || exit /b 1
%PYTHON% -m mypy || exit /b 1
.venv\Scripts\lint-imports.exe
exit /b %errorlevel%

rem Run a script with Python's launcher, or with python.exe where there is none.
:python
where py >nul 2>nul && (py -3 %* & exit /b)
python %*
exit /b %errorlevel%
